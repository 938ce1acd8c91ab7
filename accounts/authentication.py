"""Who sends an API request: the bearer of a token, or the visitor behind the browser's session."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from . import api_keys, sign_ins
from .models import APIKey, SignIn, User
from .services import visitor

SCHEME = "Bearer"
BAD_TOKEN = _("The token is not valid or has expired. Refresh it, or sign in again.")


def bearer_of(header: bytes) -> str | None:
    """The token of an Authorization header; None when it holds none."""
    scheme, _space, token = header.partition(b" ")
    if scheme.lower() != SCHEME.lower().encode():
        return None
    return token.strip().decode("latin1")


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access token>`; `request.auth` is the sign-in."""

    def authenticate(self, request: Request) -> tuple[User, SignIn] | None:
        token = bearer_of(get_authorization_header(request))
        if token is None:
            return None
        try:
            sign_in = sign_ins.of_access_token(token)
        except sign_ins.BadToken:
            raise exceptions.AuthenticationFailed(BAD_TOKEN, "token_not_valid") from None
        return sign_in.user, sign_in

    def authenticate_header(self, request: Request) -> str:
        return f'{SCHEME} realm="api"'


class VisitorAuthentication(SessionAuthentication):
    """The browser's session, of an account or of a guest, with Django's protection against forged requests."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        person = visitor(request._request)
        if person is None or not person.is_active:
            return None
        self.enforce_csrf(request)
        return person, None


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <API key>`; `request.auth` is the key."""

    def authenticate(self, request: Request) -> tuple[User, APIKey] | None:
        secret = bearer_of(get_authorization_header(request))
        if secret is None:
            return None
        try:
            key = api_keys.use(secret)
        except APIKey.DoesNotExist:
            raise exceptions.AuthenticationFailed(_("The API key is not valid."), "invalid_api_key") from None
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return SCHEME
