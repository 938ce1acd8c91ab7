"""Encryption at rest: what is stored, who can read it, and how keys change."""

import base64
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from accounts import vault
from accounts.models import Consent, Export, User
from accounts.privacy import consent, export

OLD = "old:" + base64.b64encode(b"o" * 32).decode()
NEW = "new:" + base64.b64encode(b"n" * 32).decode()
TOTP_SECRET = "JBSWY3DPEHPK3PXP"


@pytest.fixture
def old_key(settings: Settings) -> Settings:
    settings.DATA_KEYS = [OLD]
    return settings


def rotate() -> str:
    out = StringIO()
    call_command("rotate_keys", stdout=out)
    return out.getvalue()


def test_a_text_comes_back_and_no_two_ciphers_are_alike(old_key: Settings) -> None:
    first, second = (vault.encrypt_text("Größe 💚", "a") for _ in range(2))
    assert first != second
    assert first.startswith("v1:old:")
    assert vault.decrypt_text(first, "a") == vault.decrypt_text(second, "a") == "Größe 💚"


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-4] + "AAAA",
        lambda token: token.replace("v1:", "v2:"),
        lambda token: token.replace(":old:", ":gone:"),
        lambda token: "v1:old:%%%",
        lambda token: "",
    ],
)
def test_a_changed_text_is_refused(old_key: Settings, change: object) -> None:
    token = change(vault.encrypt_text("secret", "a"))  # type: ignore[operator]
    with pytest.raises(vault.CannotDecrypt):
        vault.decrypt_text(token, "a")


def test_a_text_is_bound_to_its_place(old_key: Settings) -> None:
    with pytest.raises(vault.CannotDecrypt):
        vault.decrypt_text(vault.encrypt_text("secret", "here"), "there")


@pytest.mark.parametrize("entry", ["no-colon", "name:short", ":" + OLD[4:], "name:%%%"])
def test_a_bad_key_is_explained(settings: Settings, entry: str) -> None:
    settings.DATA_KEYS = [entry]
    with pytest.raises(ImproperlyConfigured, match="32 random bytes"):
        vault.ring()


def test_without_data_keys_the_secret_key_and_its_fallbacks_are_used(settings: Settings) -> None:
    settings.DATA_KEYS = []
    token = vault.encrypt_text("secret", "a")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    assert not vault.is_current(token)
    assert vault.decrypt_text(token, "a") == "secret"


def test_pseudonyms_are_stable_and_follow_the_ring(old_key: Settings) -> None:
    before = vault.pseudonym("someone")
    assert vault.pseudonym("someone") == before != vault.pseudonym("somebody else")
    old_key.DATA_KEYS = [NEW, OLD]
    assert before in vault.pseudonyms("someone")


def test_everything_moves_to_the_new_key(db: None, old_key: Settings) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    TOTP.activate(user, TOTP_SECRET)
    codes = RecoveryCodes.activate(user).get_unused_codes()
    source = Consent.Source.PAGE
    consent.decide(user=user, decisions={"marketing": True}, source=source, address="203.0.113.7")
    export.make(export.request_export(user=user).pk)
    archive = Export.objects.get().archive

    old_key.DATA_KEYS = [NEW, OLD]
    assert "accounts.consent.address: 1 encrypted anew" in rotate()
    assert "mfa.authenticator.data: 0" in rotate()

    old_key.DATA_KEYS = [NEW]
    assert Consent.objects.get().address == "203.0.113.7"
    assert Export.objects.get().archive == archive
    authenticators = {one.type: one.wrap() for one in Authenticator.objects.filter(user=user)}
    assert vault.decrypt_text(authenticators["totp"].instance.data["secret"], "mfa.authenticator") == TOTP_SECRET
    assert authenticators["recovery_codes"].get_unused_codes() == codes


def test_the_columns_hold_no_plain_text(db: None, old_key: Settings) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    TOTP.activate(user, TOTP_SECRET)
    source = Consent.Source.PAGE
    consent.decide(user=user, decisions={"marketing": True}, source=source, address="203.0.113.7")
    with connection.cursor() as cursor:
        cursor.execute("SELECT address FROM accounts_consent UNION ALL SELECT data::text FROM mfa_authenticator")
        stored = " ".join(row[0] for row in cursor.fetchall())
    assert "203.0.113.7" not in stored
    assert TOTP_SECRET not in stored


def test_rotation_without_the_old_key_says_what_is_missing(db: None, old_key: Settings) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    TOTP.activate(user, TOTP_SECRET)
    old_key.DATA_KEYS = [NEW]
    with pytest.raises(CommandError, match="'old' is not in the ring"):
        rotate()


def test_a_new_key_can_be_printed(settings: Settings) -> None:
    out = StringIO()
    call_command("rotate_keys", "--new", stdout=out)
    settings.DATA_KEYS = [out.getvalue().strip()]
    assert len(vault.ring()[0].secret) == 32
