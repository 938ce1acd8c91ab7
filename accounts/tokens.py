"""JSON Web Tokens: a short access token and the refresh token that it is renewed with; both name the sign-in they belong to."""

from typing import Self
from uuid import UUID

from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.exceptions import TokenError

from .keys import KeyRing
from .models import SignIn

FAMILY_CLAIM = "family"


class _Signed(tokens.Token):
    """A token of one sign-in, with what a client may want to show."""

    family: UUID

    @property
    def token_backend(self) -> KeyRing:
        return KeyRing()

    @classmethod
    def of(cls, sign_in: SignIn) -> Self:
        token = cls.for_user(sign_in.user)
        token["email"], token["role"], token[FAMILY_CLAIM] = sign_in.user.email, sign_in.user.role, str(sign_in.pk)
        return token

    def verify(self) -> None:
        super().verify()
        try:
            self.family = UUID(self.payload[FAMILY_CLAIM])
        except (KeyError, ValueError, TypeError, AttributeError):
            raise TokenError("The token belongs to no sign-in.") from None


class AccessToken(_Signed, tokens.AccessToken):
    """Opens the API for minutes."""


class RefreshToken(_Signed, tokens.Token):
    """Buys the next pair, once."""

    token_type = "refresh"  # noqa: S105
    lifetime = tokens.RefreshToken.lifetime

    @property
    def jti(self) -> str:
        return str(self.payload["jti"])
