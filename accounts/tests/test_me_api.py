"""The profile over the API."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User

ME = "/api/v1/me"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


@pytest.fixture
def api(user: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(user)
    return client


def test_a_person_reads_and_changes_what_is_theirs_to_decide(api: APIClient, user: User) -> None:
    change = {
        "first_name": "Ada",
        "timezone": "Europe/Berlin",
        "language": "de",
        "avatar_url": "https://example.com/a.png",
    }
    changed = api.patch(ME, change | {"role": "admin", "email": "x@example.com"}, HTTP_IF_MATCH=api.get(ME)["ETag"])
    assert change.items() <= changed.json().items()
    user.refresh_from_db()
    assert (user.role, user.email, user.first_name) == ("user", "ada@example.com", "Ada")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"timezone": "Middle/Earth"}, 422),
        ({"avatar_url": "http://example.com"}, 422),
        ({"language": "xx"}, 400),
        ({"first_name": 5}, 400),
    ],
)
def test_what_is_wrong_is_named(api: APIClient, change: dict[str, Any], code: int) -> None:
    response = api.patch(ME, change)
    assert (response.status_code, list(response.json()["fields"])) == (code, list(change))


def test_nobody_else_has_one(db: None) -> None:
    assert APIClient().get(ME).status_code == APIClient().patch(ME, {}).status_code == 401
