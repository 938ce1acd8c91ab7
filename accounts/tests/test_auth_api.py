"""Signing up, in and out over the API, without telling who has an account."""

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import SignIn, User

PASSWORD, NEW = "correct horse battery", "wrong donkey charger"
EMAIL = "ada@example.com"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user(EMAIL, PASSWORD)


@pytest.fixture
def api() -> APIClient:
    return APIClient()


def post(api: APIClient, path: str, **data: Any) -> Any:
    return api.post(f"/api/v1/auth/{path}", data)


def login(api: APIClient, password: str = PASSWORD) -> Any:
    return post(api, "login", email=EMAIL, password=password)


def bearer(tokens: dict[str, str]) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    return client


def key_of_last_mail() -> str:
    found = re.search(r"https?://\S+/(\S+?)/?\s", f"{mail.outbox[-1].body} ")
    assert found is not None
    return found[1]


def test_registering_sends_a_message_whose_key_confirms_the_address(db: None, api: APIClient) -> None:
    assert post(api, "register", email="Ada@Example.com", password=PASSWORD).status_code == 202
    assert not EmailAddress.objects.get(email=EMAIL).verified
    assert post(api, "email/verify", key=key_of_last_mail()).status_code == 204
    assert EmailAddress.objects.get(email=EMAIL).verified
    assert login(api).status_code == 200


def test_registering_an_existing_address_answers_the_same_and_tells_its_owner(user: User, api: APIClient) -> None:
    known = post(api, "register", email=EMAIL, password=NEW)
    unknown = post(api, "register", email="new@example.com", password=NEW)
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content) == (202, b"")
    assert [message.to for message in mail.outbox] == [[EMAIL], ["new@example.com"]]
    assert login(api).status_code == 200


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"email": "nobody", "password": PASSWORD}, "email"),
        ({"email": EMAIL, "password": "short"}, "password"),
        ({"email": EMAIL, "password": 12345678901}, "password"),
        ({"password": PASSWORD}, "email"),
    ],
)
def test_bad_registrations_say_what_is_wrong(db: None, api: APIClient, data: dict[str, Any], field: str) -> None:
    response = post(api, "register", **data)
    assert response.status_code == (422 if data["password"] == "short" else 400)
    assert set(response.json()) == {"code", "message", "fields", "request_id"}
    assert list(response.json()["fields"]) == [field]
    assert not User.objects.exists()


def test_wrong_passwords_and_unknown_addresses_get_the_same_answer(user: User, api: APIClient) -> None:
    wrong, unknown = login(api, NEW), post(api, "login", email="who@example.com", password=PASSWORD)
    assert (wrong.status_code, unknown.status_code) == (401, 401)
    assert wrong.json() | {"request_id": ""} == unknown.json() | {"request_id": ""}


def test_guessing_at_one_account_is_stopped(user: User, api: APIClient) -> None:
    answers = [login(api, NEW).json()["code"] for _ in range(12)]
    assert answers[0] == "bad_credentials"
    assert answers[-1] == "too_many_attempts"
    assert int(login(api)["Retry-After"]) > 0


@pytest.mark.parametrize("status", [User.Status.SUSPENDED, User.Status.CLOSED])
def test_suspended_people_cannot_sign_in_and_their_tokens_end(user: User, api: APIClient, status: str) -> None:
    tokens = login(api).json()
    browser, staff = Client(), Client()
    browser.force_login(user)
    staff.force_login(User.objects.create_superuser("root@example.com", PASSWORD))
    # Nothing beside the status counts.
    form = {"email": EMAIL, "role": "user", "language": "en", "timezone": "UTC", "is_active": "on"}
    page = f"/admin/accounts/user/{user.pk}/change/"
    assert staff.post(page, form | {"status": status}).status_code == 302
    assert login(api).status_code == 401
    assert bearer(tokens).get("/api/v1/me").status_code == 401
    assert browser.get("/api/v1/me").status_code == 401
    assert post(api, "refresh", refresh=tokens["refresh"]).status_code == 401
    assert staff.post(page, form | {"status": "active"}).status_code == 302
    assert login(api).status_code == 200


def test_where_confirmation_is_wanted_the_password_alone_opens_nothing(
    user: User, api: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("accounts.credentials.EMAIL_VERIFICATION", "mandatory")
    refused = login(api)
    assert (refused.status_code, refused.json()["code"]) == (403, "email_not_verified")
    assert post(api, "email/verify", key=key_of_last_mail()).status_code == 204
    assert login(api).status_code == 200


def test_another_message_can_be_asked_for(user: User, api: APIClient) -> None:
    EmailAddress.objects.create(user=user, email=EMAIL, primary=True)
    for email in (EMAIL, "who@example.com"):
        assert post(api, "email/resend", email=email).status_code == 202
    assert [message.to for message in mail.outbox] == [[EMAIL]]
    assert post(api, "email/verify", key="nonsense").json()["code"] == "bad_key"


def test_a_refresh_token_counts_once_and_a_replayed_one_ends_its_family(user: User, api: APIClient) -> None:
    first = login(api).json()
    second = post(api, "refresh", refresh=first["refresh"]).json()
    assert bearer(second).get("/api/v1/me").status_code == 200
    assert post(api, "refresh", refresh=first["refresh"]).status_code == 401
    assert post(api, "refresh", refresh=second["refresh"]).json()["code"] == "token_not_valid"
    assert bearer(second).get("/api/v1/me").json()["code"] == "token_not_valid"
    assert login(api).status_code == 200


def test_logging_out_ends_the_family_and_no_other(user: User, api: APIClient) -> None:
    phone, tablet = login(api).json(), login(api).json()
    assert post(api, "logout", refresh=phone["refresh"]).status_code == 204
    assert bearer(phone).get("/api/v1/me").status_code == 401
    assert post(api, "refresh", refresh=phone["refresh"]).status_code == 401
    assert bearer(tablet).get("/api/v1/me").status_code == 200
    assert post(api, "logout", refresh="nonsense").status_code == 204


def test_an_access_token_is_no_refresh_token_nor_the_other_way_round(user: User, api: APIClient) -> None:
    tokens = login(api).json()
    assert post(api, "refresh", refresh=tokens["access"]).status_code == 401
    assert bearer({"access": tokens["refresh"]}).get("/api/v1/me").status_code == 401


def test_sessions_are_listed_and_ended_by_their_person_only(
    user: User, api: APIClient, django_assert_num_queries: Any
) -> None:
    phone, tablet = login(api).json(), login(api).json()
    stranger = User.objects.create_user("eve@example.com", PASSWORD)
    theirs = post(api, "login", email=stranger.email, password=PASSWORD).json()
    with django_assert_num_queries(2):
        rows = bearer(phone).get("/api/v1/me/sessions").json()["results"]
    assert {row["id"]: row["current"] for row in rows} == {phone["session_id"]: True, tablet["session_id"]: False}
    assert bearer(theirs).delete(f"/api/v1/me/sessions/{phone['session_id']}").status_code == 404
    assert api.delete(f"/api/v1/me/sessions/{phone['session_id']}").status_code == 401
    assert bearer(phone).delete(f"/api/v1/me/sessions/{tablet['session_id']}").status_code == 204
    assert bearer(tablet).get("/api/v1/me").status_code == 401


def test_a_forgotten_password_is_reset_by_mail_and_ends_all_sign_ins(user: User, api: APIClient) -> None:
    tokens = login(api).json()
    for email in (EMAIL, "who@example.com"):
        response = post(api, "password/reset", email=email)
        assert (response.status_code, response.content) == (202, b"")
    message = next(one for one in mail.outbox if one.to == [EMAIL])
    found = re.search(r"/key/(\S+?)/\s", str(message.body))
    assert found is not None
    weak = post(api, "password/reset/confirm", key=found[1], password="password")
    assert list(weak.json()["fields"]) == ["password"]
    assert post(api, "password/reset/confirm", key=found[1], password=NEW).status_code == 204
    assert post(api, "password/reset/confirm", key=found[1], password=NEW).json()["code"] == "bad_key"
    assert bearer(tokens).get("/api/v1/me").status_code == 401
    assert login(api, NEW).status_code == 200


def test_changing_the_password_keeps_this_app_and_ends_the_others(user: User, api: APIClient) -> None:
    phone, tablet = login(api).json(), login(api).json()
    path = "/api/v1/auth/password/change"
    wrong = bearer(phone).post(path, {"current_password": NEW, "new_password": NEW})
    assert list(wrong.json()["fields"]) == ["current_password"]
    weak = bearer(phone).post(path, {"current_password": PASSWORD, "new_password": "12345678901"})
    assert list(weak.json()["fields"]) == ["new_password"]
    assert bearer(phone).post(path, {"current_password": PASSWORD, "new_password": NEW}).status_code == 204
    assert bearer(phone).get("/api/v1/me").status_code == 200
    assert bearer(tablet).get("/api/v1/me").status_code == 401
    assert api.post(path, {}).status_code == 401


def test_changing_the_password_in_the_browser_keeps_its_session(user: User, api: APIClient) -> None:
    api.force_login(user)
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert api.post("/api/v1/auth/password/change", change).status_code == 204
    assert api.get("/api/v1/me").status_code == 200


def test_a_second_factor_is_asked_for_and_its_code_counts_once(user: User, api: APIClient) -> None:
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    wanted = login(api)
    assert (wanted.status_code, wanted.json()["methods"]) == (202, ["totp"])
    challenge = wanted.json()["challenge"]
    assert post(api, "mfa", challenge=challenge, code="000000x").json()["code"] == "bad_code"
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
    answered = post(api, "mfa", challenge=challenge, code=code)
    assert answered.status_code == 200
    assert bearer(answered.json()).get("/api/v1/me").json()["email"] == EMAIL
    assert post(api, "mfa", challenge=challenge, code=code).status_code == 401


def test_recovery_codes_open_too_and_guessing_ends(user: User, api: APIClient) -> None:
    totp.TOTP.activate(user, totp.generate_totp_secret())
    codes = RecoveryCodes.activate(user).get_unused_codes()
    challenge = login(api).json()["challenge"]
    assert post(api, "mfa", challenge=challenge, code=codes[0]).status_code == 200
    assert post(api, "mfa", challenge="forged", code=codes[1]).status_code == 401
    guesses = [post(api, "mfa", challenge=challenge, code="123456").json()["code"] for _ in range(12)]
    assert guesses[-1] == "too_many_attempts"
    User.objects.update(status="suspended", is_active=False)
    assert post(api, "mfa", challenge=challenge, code=codes[1]).status_code == 401


def test_without_redis_nobody_signs_in(user: User, api: APIClient, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    response = login(api)
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response["Retry-After"]) > 0
    assert not SignIn.objects.exists()
