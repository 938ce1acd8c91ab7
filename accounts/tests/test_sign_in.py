"""Signing in on the pages: limits, second factors, other services, signed-in browsers."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import requests
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.core import mail
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts import api_keys
from accounts.models import APIKey, User
from accounts.roles import sync_role
from accounts.signals import sign_in_ended

from .oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


@pytest.fixture(autouse=True)
def quick_hashes(settings: Settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def account(email: str = EMAIL, role: str = "user") -> User:
    user = User.objects.create_user(email, PASSWORD, role=role)
    sync_role(user)
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


@pytest.fixture
def ada(db: None) -> User:
    return account()


def sign_in(client: Client, email: str = EMAIL, password: str = PASSWORD) -> Any:
    return client.post("/accounts/login/", {"login": email, "password": password})


def code_of(secret: str) -> str:
    return str(totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time()))))


def activate(client: Client) -> str:
    """Set an authenticator app up on its page; the secret."""
    url = "/accounts/2fa/totp/activate/"
    page = client.get(url)
    if page.status_code == 302:
        client.post(page["Location"], {"password": PASSWORD})
        page = client.get(url)
    secret: str = page.context["form"].secret
    assert client.post(url, {"code": code_of(secret)}).status_code == 302
    return secret


def confirm(client: Client) -> None:
    """Follow the link of the letter that came."""
    body = str(mail.outbox[0].body)
    path = next(word for word in body.split() if "/confirm-email/" in word).split("testserver")[1]
    assert client.post(path).status_code == 302


def test_guesses_are_limited_for_everybody_who_guesses(ada: User) -> None:
    for _guess in range(5):
        sign_in(Client(), password="wrong")
    assert "Too many failed login attempts" in sign_in(Client()).content.decode()
    account("eve@example.com")
    assert sign_in(Client(), "eve@example.com").status_code == 302


def test_the_limits_see_through_trusted_proxies_only(ada: User, settings: Settings) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(31):
        last = Client(headers={"X-Forwarded-For": f"198.51.100.{number}, 203.0.113.7"}).post("/accounts/login/", {})
    assert last.status_code == 429
    assert "too often" in last.content.decode()
    assert Client(headers={"X-Forwarded-For": "203.0.113.8"}).post("/accounts/login/", {}).status_code == 200


def test_an_authenticator_app_is_asked_for_after_the_password(ada: User) -> None:
    client = Client()
    sign_in(client)
    secret = activate(client)
    assert "authenticator app" in client.get("/accounts/2fa/").content.decode().lower()
    codes = client.get("/accounts/2fa/recovery-codes/").content.decode()
    assert Authenticator.objects.filter(user=ada, type="recovery_codes").exists()
    client.post("/accounts/logout/")

    second = sign_in(client)
    assert second["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/accounts/")["Location"].startswith("/accounts/login/")
    assert "Incorrect code" in client.post(second["Location"], {"code": "000000"}).content.decode()
    Authenticator.objects.update(last_used_at=None)
    cache.clear()
    assert client.post(second["Location"], {"code": code_of(secret)}).status_code == 302
    assert client.get("/accounts/").status_code == 200
    assert codes


def test_a_recovery_code_opens_once(ada: User) -> None:
    client = Client()
    sign_in(client)
    activate(client)
    code = Authenticator.objects.get(type="recovery_codes").wrap().get_unused_codes()[0]
    for status in (302, 200):
        other = Client()
        sign_in(other)
        assert other.post("/accounts/2fa/authenticate/", {"code": code}).status_code == status


@pytest.mark.django_db(transaction=True)
def test_what_changes_an_account_is_told_by_a_letter_in_text_and_html() -> None:
    account()
    client = Client()
    sign_in(client)
    activate(client)
    (letter, *_rest) = mail.outbox
    assert letter.subject.startswith("Parley: ")
    assert isinstance(letter, EmailMultiAlternatives)
    ((html, kind),) = letter.alternatives
    assert kind == "text/html"
    assert "If you do not recognize this change" in str(html)


def test_an_address_is_confirmed_before_it_opens_where_that_is_wanted(db: None, settings: Settings) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION = "mandatory"
    client = Client()
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post("/accounts/signup/", form)["Location"] == "/accounts/confirm-email/"
    assert client.get("/accounts/")["Location"].startswith("/accounts/login/")
    confirm(client)
    sign_in(client, "new@example.com")
    assert client.get("/accounts/").status_code == 200


def test_the_first_admin_confirms_an_address_and_sets_a_second_factor_up(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ACCOUNT_EMAIL_VERIFICATION, settings.STAFF_MFA_REQUIRED = "mandatory", True
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", email="root@example.com", interactive=False, verbosity=0)
    client = Client()
    assert sign_in(client, "root@example.com")["Location"] == "/accounts/confirm-email/"
    confirm(client)
    sign_in(client, "root@example.com")
    assert client.get("/admin/")["Location"] == "/accounts/2fa/"
    activate(client)
    assert client.get("/admin/").status_code == 200


def test_signed_in_browsers_are_listed_and_signed_out(ada: User) -> None:
    here, there = Client(headers={"User-Agent": "Here"}), Client(headers={"User-Agent": "There"})
    sign_in(here)
    sign_in(there)
    page = here.get("/accounts/sessions/").content.decode()
    assert "Here" in page
    assert "There" in page
    here.post("/accounts/sessions/")
    assert here.get("/accounts/").status_code == 200
    assert there.get("/accounts/")["Location"].startswith("/accounts/login/")
    assert UserSession.objects.count() == 1


@pytest.mark.parametrize("role", ["editor", "agent", "analyst", "admin"])
def test_staff_set_a_second_factor_up_before_anything_else(db: None, settings: Settings, role: str) -> None:
    settings.STAFF_MFA_REQUIRED = True
    account("staff@example.com", role)
    client = Client()
    sign_in(client, "staff@example.com")
    for path in ("/", "/admin/", "/help/"):
        assert client.get(path)["Location"] == "/accounts/2fa/"
    assert client.get("/api/v1/me").status_code == 403
    assert "needs a second factor" in client.get("/accounts/2fa/").content.decode()
    activate(client)
    assert client.get("/admin/").status_code == 200


def test_visitors_and_demo_logins_need_none(ada: User, settings: Settings) -> None:
    client = Client()
    sign_in(client)
    settings.STAFF_MFA_REQUIRED = True
    assert client.get("/help/").status_code == 200
    settings.STAFF_MFA_REQUIRED = False
    account("root@example.com", "admin")
    client = Client()
    sign_in(client, "root@example.com")
    assert client.get("/admin/").status_code == 200


def test_staff_without_a_factor_get_no_tokens(db: None, settings: Settings, client: Client) -> None:
    settings.STAFF_MFA_REQUIRED = True
    account("staff@example.com", "editor")
    data = {"email": "staff@example.com", "password": PASSWORD}
    response = client.post("/api/v1/auth/login", data, content_type="application/json")
    assert (response.status_code, response.json()["code"]) == (403, "second_factor_required")


def test_what_staff_hold_from_before_opens_nothing_without_a_factor(ada: User, settings: Settings) -> None:
    settings.STAFF_MFA_REQUIRED = True
    api = APIClient()
    tokens = api.post("/api/v1/auth/login", {"email": ada.email, "password": PASSWORD}).json()
    secret = api_keys.create(key=APIKey(user=ada, name="Shop"))

    def answers() -> list[int]:
        by_token = api.get("/api/v1/me", headers={"Authorization": f"Bearer {tokens['access']}"})
        by_key = api.get("/v1/models", headers={"Authorization": f"Bearer {secret}"})
        return [by_token.status_code, by_key.status_code]

    assert answers() == [200, 200]
    ada.role = User.Role.ANALYST
    ada.save()
    assert answers() == [401, 401]
    assert api.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 401
    totp.TOTP.activate(ada, "JBSWY3DPEHPK3PXP")
    assert answers() == [200, 200]
    assert api.post("/api/v1/auth/refresh", {"refresh": tokens["refresh"]}).status_code == 200


def test_the_admin_has_no_sign_in_of_its_own(ada: User) -> None:
    assert Client().get("/admin/login/?next=/admin/")["Location"] == "/accounts/login/?next=%2Fadmin%2F"
    client = Client()
    sign_in(client)
    assert client.get("/admin/login/").status_code == 403


@pytest.fixture
def provider(settings: Settings) -> Iterator[Provider]:
    with Provider().serving() as provider:
        app = {"provider_id": "oidc", "name": "Work", "client_id": CLIENT_ID, "secret": CLIENT_SECRET}
        app |= {"settings": {"server_url": provider.url, "oauth_pkce_enabled": True}}  # type: ignore[dict-item]
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
        settings.FORM_ORIGINS = [provider.url]
        yield provider


def through(client: Client) -> Any:
    """The whole way of the browser, to the last answer of ours."""
    away = client.post("/accounts/oidc/oidc/login/?process=login")
    assert away.status_code == 302
    back = requests.get(away["Location"], allow_redirects=False, timeout=5)
    return client.get(back.headers["Location"].split("testserver")[1], follow=True)


def test_another_service_signs_in(db: None, provider: Provider) -> None:
    client = Client()
    page = client.get("/accounts/login/")
    assert "Sign in with Work" in page.content.decode()
    assert f"form-action 'self' {provider.url};" in page["Content-Security-Policy"]
    through(client)
    user = User.objects.get(email=EMAIL)
    assert EmailAddress.objects.get(user=user).verified
    assert SocialAccount.objects.get(user=user).uid == "42"
    assert client.get("/accounts/").status_code == 200
    client.post("/accounts/logout/")
    through(client)
    assert User.objects.count() == 1
    assert client.get("/accounts/").status_code == 200


def test_another_service_does_not_replace_the_second_factor(db: None, provider: Provider) -> None:
    client = Client()
    through(client)
    activate(client)
    client.post("/accounts/logout/")
    assert through(client).redirect_chain[-1][0].startswith("/accounts/2fa/authenticate/")


@pytest.mark.parametrize("claims", [{"iss": "https://other.example.com"}, {"aud": "another"}, {"exp": 1}])
def test_a_token_for_somebody_else_opens_nothing(db: None, provider: Provider, claims: dict[str, Any]) -> None:
    provider.claims = claims
    client = Client()
    assert "Third-Party Login Failure" in through(client).content.decode()
    assert not User.objects.exists()


def test_a_code_without_its_beginning_opens_nothing(db: None, provider: Provider) -> None:
    response = Client().get("/accounts/oidc/oidc/login/callback/?code=stolen&state=forged")
    assert "Third-Party Login Failure" in response.content.decode()
    assert not User.objects.exists()


def test_an_account_is_not_taken_over_by_its_address(ada: User, provider: Provider) -> None:
    client = Client()
    through(client)
    assert not SocialAccount.objects.exists()
    assert client.get("/accounts/")["Location"].startswith("/accounts/login/")


@pytest.mark.parametrize("path", ["github/login/", "google/login/", "microsoft/login/", "oidc/oidc/login/"])
def test_services_without_keys_are_not_offered(db: None, client: Client, path: str) -> None:
    assert client.get(f"/accounts/{path}").status_code == 404
    assert "Sign in with a passkey" in client.get("/accounts/login/").content.decode()
    assert "Sign in with Google" not in client.get("/accounts/login/").content.decode()


# -- who is told that a sign-in ended ------------------------------------------------------------------------------


@pytest.fixture
def told() -> Iterator[list[UUID]]:
    """The people whose sign-ins ended."""
    people: list[UUID] = []

    def listen(sender: type, *, user_id: UUID, **kwargs: Any) -> None:
        people.append(user_id)

    sign_in_ended.connect(listen)
    yield people
    sign_in_ended.disconnect(listen)


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_browsers_session_is_told(told: list[UUID], client: Client) -> None:
    ada = account()
    client.force_login(ada)
    assert told == []
    client.post("/accounts/logout/")
    assert told == [ada.pk]
    client.post("/chat/guest")
    client.session.flush()
    assert told == [ada.pk]


@pytest.mark.django_db(transaction=True)
def test_a_guest_that_an_account_takes_over_is_told(told: list[UUID], client: Client) -> None:
    guest_id = UUID(client.post("/chat/guest").json()["user_id"])
    client.force_login(account())
    assert told == [guest_id]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["password", "closed"])
def test_what_locks_sessions_out_is_told(told: list[UUID], change: str) -> None:
    ada = account()
    ada.first_name = "Ada"
    ada.save()
    assert told == []
    if change == "password":
        ada.set_password("another correct horse")
    else:
        ada.status, ada.is_active = User.Status.CLOSED, False
    ada.save()
    assert told == [ada.pk]
