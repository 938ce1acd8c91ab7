"""Staff access to personal data is written down, and nobody can change what was written."""

from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts import vault
from accounts.models import AuditEntry, User
from accounts.privacy import audit
from conversations import services

PASSWORD = "correct horse battery"


@pytest.fixture
def admin(db: None) -> User:
    return User.objects.create_superuser("root@example.com", PASSWORD)


def write(actor: User, count: int = 3) -> list[AuditEntry]:
    return [audit.record(actor=actor, action=AuditEntry.Action.VIEW, kind="accounts.user") for _ in range(count)]


def check(*args: str) -> str:
    out = StringIO()
    call_command("verify_audit", *args, stdout=out)
    return out.getvalue()


def test_entries_follow_each_other(admin: User) -> None:
    first, second, third = write(admin)
    assert [one.number for one in (first, second, third)] == [1, 2, 3]
    assert (second.previous, third.previous) == (first.hash, second.hash)
    assert f"3 entries, all whole. Head: {third.hash}" in check("--head", first.hash)


@pytest.mark.parametrize("statement", ["UPDATE accounts_auditentry SET kind = 'x'", "DELETE FROM accounts_auditentry"])
def test_the_database_refuses_changes(admin: User, statement: str) -> None:
    write(admin)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.count() == 3


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE accounts_auditentry SET kind = 'x' WHERE number = 2", "entry 2 was changed"),
        ("DELETE FROM accounts_auditentry WHERE number = 2", "entry 2 is missing"),
        ("UPDATE accounts_auditentry SET previous = repeat('1', 64) WHERE number = 3", "entry 3 does not follow"),
        ("UPDATE accounts_auditentry SET key_id = 'gone' WHERE number = 1", "entry 1 cannot be checked"),
    ],
)
def test_a_forger_with_the_database_is_found_out(admin: User, statement: str, problem: str) -> None:
    write(admin)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER accounts_audit_append_only")
        cursor.execute(statement)
    with pytest.raises(CommandError, match=problem):
        check()


def test_a_cut_end_is_found_by_its_head(admin: User) -> None:
    head = write(admin)[-1].hash
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER accounts_audit_append_only")
        cursor.execute("DELETE FROM accounts_auditentry WHERE number = 3")
    assert "2 entries" in check()
    with pytest.raises(CommandError, match="cut off"):
        check("--head", head)


@pytest.mark.django_db(transaction=True)
def test_entries_that_arrive_together_stay_in_line() -> None:
    actor = User.objects.create_user("root@example.com", PASSWORD)

    def one(_number: int) -> None:
        write(actor, 2)
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(8)))
    assert audit.verify()[0] == 16
    assert audit.verify().problem == ""


def test_admin_pages_of_people_are_recorded(admin: User, client: Client) -> None:
    person = User.objects.create_user("ada@example.com", PASSWORD)
    posted = services.post_message(user=person, content="Hello", client_id=uuid4())
    client.force_login(admin)
    url = f"/admin/accounts/user/{person.pk}"
    conversation = f"/admin/conversations/conversation/{posted.message.conversation_id}/change/"
    for path in ("/admin/accounts/user/?q=ada", f"{url}/change/", f"{url}/history/", conversation):
        assert client.get(path).status_code == 200
    seen = [(one.action, one.kind, one.subject) for one in AuditEntry.objects.order_by("number")]
    who = vault.pseudonym(person.pk)
    assert seen == [
        ("list", "accounts.user", ""),
        ("view", "accounts.user", who),
        ("view", "accounts.user", who),
        ("view", "conversations.conversation", who),
    ]
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {vault.pseudonym(admin.pk)}
    assert "ada" not in str(list(AuditEntry.objects.values_list("details", flat=True)))
    assert client.get("/admin/accounts/auditentry/").status_code == 200


def test_what_staff_change_is_recorded_by_the_names_of_fields(admin: User, client: Client) -> None:
    person = User.objects.create_user("ada@example.com", PASSWORD)
    client.force_login(admin)
    form = {"email": person.email, "first_name": "Augusta", "role": "user", "status": "active"}
    form |= {"language": "en", "timezone": "UTC"}
    assert client.post(f"/admin/accounts/user/{person.pk}/change/", form).status_code == 302
    entry = AuditEntry.objects.get(action="change")
    assert entry.details == {"fields": ["First name"]}
    person.refresh_from_db()
    assert person.first_name == "Augusta"


def test_staff_erase_and_do_not_delete(admin: User, client: Client) -> None:
    person = User.objects.create_user("ada@example.com", PASSWORD)
    client.force_login(admin)
    assert client.get(f"/admin/accounts/user/{person.pk}/delete/").status_code == 403
    client.post("/admin/accounts/user/", {"action": "erase", "_selected_action": [str(person.pk)]})
    assert person.erasures.count() == 1
