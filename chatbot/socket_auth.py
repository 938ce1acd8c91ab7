"""Who opens a socket: the bearer of an access token, else the visitor behind the browser's session.

A token comes in the Authorization header or, from browsers, as a subprotocol: never in the address, which ends in logs.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.security.websocket import AllowedHostsOriginValidator

from accounts import sign_ins
from accounts.authentication import bearer_of
from accounts.models import User

from .runtime import db

PROTOCOL = "parley"
_TOKEN = "bearer."  # noqa: S105  (what stands before one)
Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


def token_of(scope: Scope) -> str | None:
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    offered = (name.removeprefix(_TOKEN) for name in scope.get("subprotocols", []) if name.startswith(_TOKEN))
    return bearer_of(header) or next(offered, None)


def _bearer(token: str) -> User | None:
    try:
        return sign_ins.of_access_token(token).user
    except sign_ins.BadToken:
        return None


class SocketAuthentication:
    """Sets `scope["user"]`. Only a session needs the Origin checked: a token is nothing that a browser adds by itself."""

    def __init__(self, inner: Application) -> None:
        self.inner = inner
        self.by_session = AllowedHostsOriginValidator(AuthMiddlewareStack(inner))

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        token = token_of(scope)
        if token is None:
            await self.by_session(scope, receive, send)
        else:
            await self.inner(scope | {"user": await db(_bearer, token), "session": None}, receive, send)
