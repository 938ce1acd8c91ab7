"""Second factors: their secrets are encrypted, and staff may be required to have one."""

from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings

from . import vault
from .models import User

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


def lacks_required_factor(user: User) -> bool:
    """Whether this member of staff has to set up a second factor before anything else."""
    return (
        settings.STAFF_MFA_REQUIRED
        and user.role != User.Role.USER
        and not is_mfa_enabled(user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN])
    )
