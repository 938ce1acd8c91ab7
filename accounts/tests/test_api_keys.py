"""API keys: shown once, kept as a digest, good for their scopes until revoked."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from accounts import api_keys
from accounts.models import APIKey, User


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


def made(user: User, **values: Any) -> str:
    return api_keys.create(key=APIKey(user=user, name="Test", **values))


def status(secret: str, path: str = "/v1/models") -> int:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return int(client.get(path).status_code)


def test_a_key_works_until_it_is_revoked(user: User) -> None:
    secret = made(user)
    assert status(secret) == 200
    key = APIKey.objects.get()
    assert key.last_used_at is not None
    assert secret.startswith(key.prefix)
    assert secret not in str(vars(key))
    assert api_keys.revoke(keys=APIKey.objects.all()) == 1
    assert status(secret) == 401


def test_keys_end_with_their_time_and_their_person(user: User) -> None:
    assert status(made(user, expires_at=timezone.now() - timedelta(seconds=1))) == 401
    secret = made(user)
    User.objects.update(status="closed", is_active=False)
    assert status(secret) == 401


def test_a_key_opens_its_scopes_only_and_not_the_rest_of_the_api(user: User) -> None:
    secret = made(user, scopes=["chat"])
    assert status(secret) == 403
    assert status(secret, "/api/v1/me") == 401
    assert APIClient().get("/v1/models").status_code == 401


def test_admins_make_keys_and_see_them_once(user: User, client: Client) -> None:
    client.force_login(User.objects.create_superuser("root@example.com", "x"))
    form = {"name": "Shop", "user": str(user.pk), "scopes": ["chat"], "expires_at_0": "", "expires_at_1": ""}
    page = client.post("/admin/accounts/apikey/add/", form, follow=True).content.decode()
    key = APIKey.objects.get()
    assert key.scopes == ["chat"]
    assert page.count(key.prefix) >= 2
    again = client.get(f"/admin/accounts/apikey/{key.pk}/change/").content.decode()
    assert "parley-" in again
    assert key.digest not in again
    assert client.post(f"/admin/accounts/apikey/{key.pk}/change/", form | {"name": "Till"}).status_code == 302
    action = {"action": "revoke", "_selected_action": [str(key.pk)]}
    assert "1 revoked" in client.post("/admin/accounts/apikey/", action, follow=True).content.decode()
    key.refresh_from_db()
    assert (key.name, key.revoked_at is not None) == ("Till", True)
