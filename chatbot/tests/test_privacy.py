"""What people decide about their data: consent, copies, being forgotten."""

import io
import json
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import SET_NULL
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from accounts import vault
from accounts.models import Consent, Erasure, Export, User
from accounts.privacy import consent, erasure, export, holdings, retention
from chatbot import tasks
from conversations import services
from conversations.models import Conversation

PASSWORD = "correct horse battery"
PAGE = Consent.Source.PAGE


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", PASSWORD, first_name="Ada")


@pytest.fixture
def her(ada: User) -> Client:
    client = Client()
    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    return client


def say(person: User, text: str = "When does it arrive?") -> Conversation:
    return services.post_message(user=person, content=text, client_id=uuid4()).message.conversation


def made(person: User) -> Export:
    found = export.request_export(user=person)
    export.make(found.pk)
    found.refresh_from_db()
    return found


def confirmed(client: Client, path: str, data: dict[str, str]) -> Any:
    """Posts, and enters the password again where that is asked for."""
    response = client.post(path, data)
    if "reauthenticate" in response.headers.get("Location", ""):
        response = client.post(response["Location"], {"password": PASSWORD}, follow=True)
    return response


def test_each_decision_is_a_row_with_its_version_and_origin(ada: User, her: Client) -> None:
    her.post("/accounts/privacy/consent", {"privacy": "on", "marketing": "on"})
    her.post("/accounts/privacy/consent", {"privacy": "on"})
    rows = [(one.purpose, one.granted, one.version, one.source, one.address) for one in ada.consents.order_by("pk")]
    assert rows == [
        ("privacy", True, "1", "page", "127.0.0.1"),
        ("processing", False, "1", "page", "127.0.0.1"),
        ("marketing", True, "1", "page", "127.0.0.1"),
        ("marketing", False, "1", "page", "127.0.0.1"),
    ]
    ada.refresh_from_db()
    assert (ada.gdpr_consent, ada.data_processing_consent, ada.marketing_consent) == (True, False, False)


def test_a_new_version_of_a_text_asks_again(ada: User, settings: Settings) -> None:
    consent.decide(user=ada, decisions={"marketing": True}, source=PAGE)
    settings.CONSENT_VERSIONS = settings.CONSENT_VERSIONS | {"marketing": "2"}
    standing = next(one for one in consent.standings(ada) if one.purpose == "marketing")
    assert (standing.granted, standing.current) == (False, False)
    assert consent.decide(user=ada, decisions={"marketing": True}, source=PAGE)[0].version == "2"
    assert consent.decide(user=ada, decisions={"marketing": True}, source=PAGE) == []


def test_a_guests_decisions_move_to_the_account_that_claims_it(db: None, client: Client) -> None:
    guest = User.objects.get(pk=client.post("/chat/guest").json()["user_id"])
    client.post("/accounts/privacy/consent", {"privacy": "on"})
    erasure.request_erasure(user=guest)
    client.post("/accounts/signup/", {"email": "n@example.com", "password1": PASSWORD, "password2": PASSWORD})
    assert User.objects.get(email="n@example.com").consents.filter(purpose="privacy", granted=True).exists()
    assert not Erasure.objects.exists()


def test_the_privacy_page_costs_a_fixed_number_of_queries(
    ada: User, her: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    made(ada)
    for _number in range(5):
        her.post("/accounts/privacy/consent", {"marketing": "on"})
        her.post("/accounts/privacy/consent", {})
    with django_assert_num_queries(6):
        page = her.get("/accounts/privacy/")
    assert "Your copy is ready" in page.content.decode()


def test_the_copy_has_everything_to_read_and_as_json(ada: User, her: Client) -> None:
    say(ada, "<b>When</b>?")
    say(User.objects.create_user("eve@example.com", PASSWORD), "Eve's secret")
    assert her.post("/accounts/privacy/export").status_code == 302
    found = Export.objects.get(user=ada)
    assert "being made" in her.get("/accounts/privacy/").content.decode()
    tasks.make_export(str(found.pk))
    response = her.get(f"/accounts/privacy/export/{found.pk}")
    assert "reauthenticate" in response["Location"]
    response = her.post(response["Location"], {"password": PASSWORD}, follow=True)
    assert response["Content-Disposition"].startswith('attachment; filename="my-data-')
    file = zipfile.ZipFile(io.BytesIO(response.content))
    assert json.loads(file.read("data/conversations.message.json"))[0]["content"] == "<b>When</b>?"
    assert json.loads(file.read("data/accounts.user.json"))[0]["email"] == "ada@example.com"
    page = file.read("index.html").decode()
    assert "&lt;b&gt;When&lt;/b&gt;?" in page
    assert "secret" not in page.lower()


def test_a_copy_belongs_to_its_person_and_ends(ada: User, her: Client) -> None:
    found = made(ada)
    path = f"/accounts/privacy/export/{found.pk}"
    assert Client().get(path).status_code == 302
    stranger = Client()
    User.objects.create_user("eve@example.com", PASSWORD)
    stranger.post("/accounts/login/", {"login": "eve@example.com", "password": PASSWORD})
    assert confirmed_get(stranger, path).status_code == 404
    Export.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert confirmed_get(her, path).status_code == 404
    assert retention.apply()["exports"] == 1
    assert not Export.objects.exists()


def confirmed_get(client: Client, path: str) -> Any:
    response = client.get(path)
    return (
        client.post(response["Location"], {"password": PASSWORD}, follow=True)
        if response.status_code == 302
        else response
    )


def test_one_copy_at_a_time_and_none_twice(ada: User) -> None:
    first = export.request_export(user=ada)
    assert export.request_export(user=ada) == first
    export.make(first.pk)
    first.refresh_from_db()
    assert (first.status, first.progress, first.attempt) == ("ready", 100, 1)
    export.make(first.pk)
    first.refresh_from_db()
    assert first.attempt == 1


@pytest.mark.django_db(transaction=True)
def test_copies_asked_for_while_a_worker_ends_them(ada: User) -> None:
    """Found by fuzzing: what was being made was looked for when it was ready already."""
    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask_for_copies, ada, 25) for _ in range(2)]
        while not all(one.done() for one in asking):
            for pk in Export.objects.filter(status=Export.Status.QUEUED).values_list("pk", flat=True):
                export.make(pk)
    assert all(len(one.result()) == 25 for one in asking)


def ask_for_copies(person: User, count: int) -> list[Export]:
    try:
        return [export.request_export(user=person) for _ in range(count)]
    finally:
        connection.close()


def test_a_copy_whose_worker_died_is_made_again_and_given_up_in_the_end(ada: User) -> None:
    found = export.request_export(user=ada)
    for attempt in range(1, 4):
        with mock.patch.object(export, "_collect", side_effect=SystemExit), pytest.raises(SystemExit):
            export.make(found.pk)
        found.refresh_from_db()
        assert (found.status, found.attempt) == ("running", attempt)
        Export.objects.update(updated_at=timezone.now() - timedelta(hours=1))
        tasks.sweep_privacy()
    found.refresh_from_db()
    assert found.status == "failed"


def test_a_run_that_lost_its_copy_cannot_end_it(ada: User) -> None:
    found = export.request_export(user=ada)

    def overtaken(user: User, running: Any) -> list[Any]:
        Export.objects.update(attempt=7)
        return []

    with mock.patch.object(export, "_collect", overtaken):
        export.make(found.pk)
    found.refresh_from_db()
    assert found.status == "running"


def test_being_forgotten_waits_and_can_be_taken_back(ada: User, her: Client) -> None:
    assert confirmed(her, "/accounts/privacy/erase", {"confirm": "no"}).status_code in {200, 400}
    assert not Erasure.objects.exists()
    her.post("/accounts/privacy/erase", {"confirm": "Erase"})
    found = Erasure.objects.get()
    assert timedelta(days=13) < found.due_at - timezone.now() < timedelta(days=15)
    assert erasure.request_erasure(user=ada) == found
    assert erasure.carry_out(found.pk) is None
    assert "will be erased" in her.get("/accounts/privacy/").content.decode()
    her.post("/accounts/privacy/keep")
    assert erasure.pending(ada) is None
    Erasure.objects.update(due_at=timezone.now())
    tasks.sweep_privacy()
    assert User.objects.filter(pk=ada.pk).exists()


def forgotten(person: User) -> Erasure:
    found = erasure.request_erasure(user=person)
    Erasure.objects.filter(pk=found.pk).update(due_at=timezone.now())
    tasks.sweep_privacy()
    found.refresh_from_db()
    return found


def test_the_certificate_arrives_and_can_be_checked(ada: User, tmp_path: Path) -> None:
    say(ada)
    found = forgotten(ada)
    assert not User.objects.filter(pk=ada.pk).exists()
    assert found.certificate is not None
    assert found.certificate["subject"] == vault.pseudonym(ada.pk)
    assert found.certificate["rows"]["conversations.message"] == 2
    (message,) = mail.outbox
    assert message.to == ["ada@example.com"]
    file = tmp_path / "certificate.json"
    file.write_text(str(message.attachments[0][1]))
    out = StringIO()
    call_command("verify_certificate", str(file), stdout=out)
    assert "Genuine" in out.getvalue()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file: file["certificate"].update(subject="somebody else"), "does not fit"),
        (lambda file: file["certificate"].update(key_id="other"), "does not have"),
        (lambda file: file.update(signature="%%%"), "does not fit"),
        (lambda file: file.pop("signature"), "not a certificate"),
    ],
)
def test_a_changed_certificate_is_refused(ada: User, tmp_path: Path, change: Any, problem: str) -> None:
    forgotten(ada)
    content = json.loads(str(mail.outbox[0].attachments[0][1]))
    change(content)
    file = tmp_path / "certificate.json"
    file.write_text(json.dumps(content))
    with pytest.raises(CommandError, match=problem):
        call_command("verify_certificate", str(file))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("verify_certificate", str(tmp_path / "none.json"))


def test_what_cannot_be_erased_everywhere_is_not_erased_at_all(ada: User) -> None:
    broken = holdings.Store("broken", lambda person: ["x"], mock.Mock(side_effect=OSError))
    found = erasure.request_erasure(user=ada)
    Erasure.objects.update(due_at=timezone.now())
    with mock.patch.object(erasure, "stores", return_value=[broken]), pytest.raises(OSError):
        erasure.carry_out(found.pk)
    assert User.objects.filter(pk=ada.pk).exists()
    assert erasure.pending(ada) == found


def test_one_that_cannot_be_erased_does_not_hold_up_the_others(ada: User) -> None:
    eve = User.objects.create_user("eve@example.com", PASSWORD)
    for person in (ada, eve):
        erasure.request_erasure(user=person)
    Erasure.objects.update(due_at=timezone.now())
    once = holdings.Store("once", lambda person: ["x"], mock.Mock(side_effect=[OSError, 0, 0]))
    with mock.patch.object(erasure, "stores", return_value=[once]):
        tasks.sweep_privacy()
    assert User.objects.count() == 1
    tasks.sweep_privacy()
    assert not User.objects.exists()


def test_a_letter_that_cannot_be_sent_keeps_nobody(ada: User) -> None:
    with mock.patch("django.core.mail.EmailMessage.send", side_effect=OSError):
        assert forgotten(ada).completed_at is not None


def test_guests_are_forgotten_too_without_a_letter(db: None, client: Client) -> None:
    guest = User.objects.get(pk=client.post("/chat/guest").json()["user_id"])
    client.post("/accounts/privacy/erase", {"confirm": "erase"})
    Erasure.objects.update(due_at=timezone.now())
    tasks.sweep_privacy()
    assert not User.objects.filter(pk=guest.pk).exists()
    assert mail.outbox == []


def test_data_goes_after_its_time(ada: User, client: Client, settings: Settings) -> None:
    settings.RETENTION_CONVERSATION_DAYS = 365
    guest = User.objects.get(pk=client.post("/chat/guest").json()["user_id"])
    silent, old, new = say(guest), say(ada), say(ada)
    Conversation.objects.filter(pk=silent.pk).update(last_message_at=timezone.now() - timedelta(days=91))
    Conversation.objects.filter(pk=old.pk).update(last_message_at=timezone.now() - timedelta(days=366))
    tasks.apply_retention()
    assert list(Conversation.objects.all()) == [new]
    assert list(User.objects.all()) == [ada]


@pytest.mark.parametrize("path", ["", "privacy/"])
def test_pages_of_an_account_want_somebody(db: None, client: Client, path: str) -> None:
    assert client.get(f"/accounts/{path}")["Location"].startswith("/accounts/login/")


def test_every_model_with_people_in_it_is_declared() -> None:
    declared = {one.model for one in holdings.holdings()}
    links = [one for one in User._meta.get_fields(include_hidden=True) if one.auto_created and not one.concrete]
    # What forgets the person when their row goes needs no declaration.
    lasting = {one.related_model for one in links if getattr(one, "on_delete", None) is not SET_NULL}
    with_people = {model for model in lasting if not model._meta.auto_created}  # type: ignore[union-attr]
    assert with_people - declared == set()
    for one in holdings.holdings():
        assert one.title
        assert set(one.fields) <= {field.attname for field in one.model._meta.concrete_fields}


def test_nothing_of_an_export_is_readable_in_the_table(ada: User) -> None:
    made(ada)
    with connection.cursor() as cursor:
        cursor.execute("SELECT archive FROM accounts_export")
        assert bytes(cursor.fetchone()[0]).startswith(b"v1:")
