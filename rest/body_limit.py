"""A request that brings too much is refused while it arrives, before anything of it is kept."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[..., Awaitable[None]]


class TooLarge(Exception):
    """The body is longer than allowed."""


def message(limit: int) -> str:
    return f"The request is larger than the {limit:,} bytes that are allowed. Send less at once."


class BodyLimit:
    """Wraps an HTTP application; answers 413 for it when the body announces or turns out to be too long."""

    def __init__(self, application: Application, *, limit: int) -> None:
        self.application = application
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if _announced(scope) > self.limit:
            await self._refuse(send)
            return
        try:
            await self.application(scope, self._counted(receive), send)
        except TooLarge:
            await self._refuse(send)

    def _counted(self, receive: Receive) -> Receive:
        received = 0

        async def count() -> MutableMapping[str, Any]:
            nonlocal received
            part = await receive()
            received += len(part.get("body", b""))
            if received > self.limit:
                raise TooLarge
            return part

        return count

    async def _refuse(self, send: Send) -> None:
        body = json.dumps(
            {"code": "too_large", "message": message(self.limit), "fields": {}, "request_id": ""}
        ).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-content-type-options", b"nosniff"),
        ]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _announced(scope: Scope) -> int:
    value = dict(scope.get("headers", [])).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0
