"""Guests, claims, roles, and what the database refuses."""

from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.test import Client

from accounts.models import User
from accounts.roles import PERMISSIONS, sync_role
from conversations import services
from conversations.models import Conversation

PASSWORD = "correct horse battery"


def test_login_is_the_email_in_any_case(db: None, client: Client) -> None:
    user = User.objects.create_user("Ada@Example.com", PASSWORD)
    assert user.email == "ada@example.com"
    assert client.login(email="ADA@example.com", password=PASSWORD)


def test_passwords_are_hashed_with_bcrypt(db: None) -> None:
    assert User.objects.create_user("a@example.com", PASSWORD).password.startswith("bcrypt_sha256$")


def test_an_account_needs_an_email(db: None) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        User.objects.create_user("", PASSWORD)


@pytest.mark.parametrize("values", [{"status": "active"}, {"role": "admin"}, {"email": "x@example.com"}])
def test_the_database_keeps_guests_plain(db: None, values: dict[str, str]) -> None:
    guest = User.new_guest(language="en")
    guest.save()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=guest.pk).update(**values)


@pytest.mark.parametrize("values", [{"status": "suspended"}, {"status": "closed"}, {"is_active": False}])
def test_the_database_keeps_status_and_is_active_together(db: None, values: dict[str, Any]) -> None:
    user = User.objects.create_user("ada@example.com", PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=user.pk).update(**values)


def test_rows_whose_status_and_is_active_differed_are_repaired(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE accounts_user DROP CONSTRAINT user_is_active_by_status")
    for name, status, is_active in (("a", "active", False), ("b", "suspended", True), ("c", "closed", True)):
        User.objects.create(email=f"{name}@example.com", status=status, is_active=is_active)
    User.objects.create(email="d@example.com")
    User.objects.create(status="guest", is_active=False)
    import_module("accounts.migrations.0052_status_is_active").repair(apps, connection.schema_editor())
    rows = User.objects.order_by("email").values_list("status", "is_active")
    locked_out = [("suspended", False), ("suspended", False), ("closed", False)]
    assert list(rows) == [*locked_out, ("active", True), ("guest", True)]


def test_a_guest_is_made_once_per_session(db: None, client: Client) -> None:
    assert User.objects.count() == 0
    first = client.post("/chat/guest").json()["user_id"]
    assert client.post("/chat/guest").json()["user_id"] == first
    guest = User.objects.get()
    assert guest.is_guest
    assert not guest.has_usable_password()
    assert str(guest).startswith("guest ")


def test_signing_up_claims_what_the_guest_said(db: None, client: Client) -> None:
    guest = User.objects.get(pk=client.post("/chat/guest").json()["user_id"])
    posted = services.post_message(user=guest, content="Hello", client_id=uuid4())
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", form).status_code == 302
    account = User.objects.get(email="new@example.com")
    assert Conversation.objects.get().user == account
    posted.message.refresh_from_db()
    assert posted.message.user == account
    assert not User.objects.filter(pk=guest.pk).exists()


def test_another_sessions_guest_is_not_claimed(db: None, client: Client) -> None:
    other = Client()
    guest_id = other.post("/chat/guest").json()["user_id"]
    User.objects.create_user("ada@example.com", PASSWORD)
    client.post("/accounts/login/", {"login": "ada@example.com", "password": PASSWORD})
    assert User.objects.filter(pk=guest_id).exists()


@pytest.mark.parametrize("role", [*PERMISSIONS, User.Role.ADMIN, User.Role.USER])
def test_roles_give_their_groups_and_flags(db: None, role: str) -> None:
    user = User.objects.create_user("r@example.com", PASSWORD, role=role)
    sync_role(user)
    assert user.is_staff == (role != "user")
    assert user.is_superuser == (role == "admin")
    assert user.has_perm("faqs.change_faq") == (role in {"editor", "reviewer", "admin"})
    assert user.has_perm("conversations.view_conversation") == (role in {"agent", "analyst", "admin"})


def test_superusers_are_admins(db: None) -> None:
    user = User.objects.create_superuser("root@example.com", PASSWORD)
    assert (user.role, user.is_superuser) == ("admin", True)


def test_admin_pages_of_people_and_conversations(db: None, client: Client) -> None:
    admin = User.objects.create_superuser("root@example.com", PASSWORD)
    posted = services.post_message(user=admin, content="<b>Hello</b>", client_id=uuid4())
    client.force_login(admin)
    assert "root@example.com" in client.get("/admin/accounts/user/").content.decode()
    assert client.get(f"/admin/accounts/user/{admin.pk}/change/").status_code == 200
    assert client.get("/admin/conversations/conversation/").status_code == 200
    detail = client.get(f"/admin/conversations/conversation/{posted.message.conversation_id}/change/").content.decode()
    assert "&lt;b&gt;Hello&lt;/b&gt;" in detail
    form = {"email": "new@example.com", "role": "editor", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/admin/accounts/user/add/", form).status_code == 302
    assert User.objects.get(email="new@example.com").is_staff
