"""Second factors: their secrets are encrypted, and staff may be required to have one."""

from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings

from . import vault

CONTEXT = "mfa.authenticator"
# What an authenticator's data may hold that must not be read from a copy of the database.
SECRETS = ("secret", "seed")


def seal_secret(text: str) -> str:
    return vault.encrypt_text(text, CONTEXT)


def open_secret(token: str) -> str:
    """Raises vault.CannotDecrypt."""
    return vault.decrypt_text(token, CONTEXT)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    def get_totp_issuer(self) -> str:
        return str(settings.SITE_NAME)

    def encrypt(self, text: str) -> str:
        return seal_secret(text)

    def decrypt(self, encrypted_text: str) -> str:
        return open_secret(encrypted_text)
