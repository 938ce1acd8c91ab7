"""Reads one streamed reply from the raw HTTP response of a server with OpenAI's interface."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import aiohttp
import httpx2
import orjson

from .base import ProviderEmpty, ProviderInterrupted, ProviderUnavailable, TextStream, Usage

DRAIN_SECONDS = 0.25
# A server may tell the path of the model's file; so much of it is kept.
MODEL_CHARACTERS = 100


class Malformed(Exception):
    """The provider sent something else than its interface says."""


# The SDK leaves some transport errors unmapped; a stream that breaks never surfaces as an OpenAIError.
BROKEN = (httpx2.HTTPError, aiohttp.ClientError, OSError, Malformed)
MISSHAPEN = (ValueError, TypeError, AttributeError, LookupError)


def storable(text: object) -> str:
    """What a server sent as text, without NUL: PostgreSQL refuses it."""
    return str(text or "").replace("\0", "")


def cause_of(error: BaseException) -> str:
    """The name of what first went wrong: the layers between call a refused connection a timeout."""
    while isinstance(error.__cause__, Exception):
        error = error.__cause__
    return type(error).__name__


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise errors of ours, without the HTTP library's own: those may quote the key."""
    try:
        yield
    except TimeoutError:
        raise ProviderUnavailable("no answer in time") from None
    except Malformed as error:
        raise ProviderUnavailable(str(error)) from None
    except BROKEN as error:
        raise ProviderUnavailable(cause_of(error)) from None


class Events:
    """Reads the server-sent events of one response: each `data:` line holds one whole JSON object.

    Works on bytes and splits at newlines only: a character may be cut by the network, and JSON
    text may hold other line separators (U+2028).
    """

    def __init__(self, model: str) -> None:
        self.model = model
        self.usage = Usage()
        self.finished = False  # all text is here
        self.done = False  # nothing follows
        self._rest = b""
        self._lines: deque[bytes] = deque()

    def feed(self, received: bytes) -> None:
        *lines, self._rest = (self._rest + received).split(b"\n")
        self._lines.extend(lines)

    def last(self) -> str:
        """The text left when the response is over. Raises Malformed when the reply is not."""
        self.feed(b"\n")
        text = self.text()
        if not text and not self.finished:
            raise Malformed("the stream ended early")
        return text

    def text(self) -> str:
        """All text of the lines at hand. Raises Malformed at a broken line, after the text before it."""
        text = ""
        while self._lines and not self.done:
            try:
                text += self._event(self._lines[0])
            except MISSHAPEN:
                if text:
                    return text
                raise Malformed("the stream holds something else than a reply") from None
            self._lines.popleft()
        return text

    def _event(self, line: bytes) -> str:
        if not line.startswith(b"data:"):
            return ""
        data = line[5:].strip()
        if data == b"[DONE]":
            self.done = self.finished = True
            return ""
        event = orjson.loads(data)
        if event.get("error"):
            raise ValueError("the provider reports an error")
        self.model = storable(event.get("model") or self.model)[:MODEL_CHARACTERS]
        if usage := event.get("usage"):
            self.usage = Usage(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        return self._choice(event["choices"][0]) if event.get("choices") else ""

    def _choice(self, choice: dict[str, Any]) -> str:
        self.finished = self.finished or bool(choice.get("finish_reason"))
        return storable((choice.get("delta") or {}).get("content"))


class Attempt:
    """One response that streams a reply."""

    def __init__(self, response: httpx2.Response, model: str) -> None:
        self.events = Events(model)
        self._response = response
        self._bytes = response.aiter_bytes()

    async def text(self) -> str:
        """The next text; empty when the reply is complete. Raises one of BROKEN."""
        while not (text := self.events.text()):
            if self.events.done:
                await self._drain()
                return ""
            received = await anext(self._bytes, None)
            if received is None:
                return self.events.last()
            self.events.feed(received)
        return text

    async def _drain(self) -> None:
        """Read to the end of the body, so that its connection serves the next request too."""
        with contextlib.suppress(*BROKEN):
            async with asyncio.timeout(DRAIN_SECONDS):
                _ = [rest async for rest in self._bytes]

    async def aclose(self) -> None:
        await self._bytes.aclose()
        await self._response.aclose()


class OpenAIStream(TextStream):
    """A reply as it is written. One that breaks before its first text is asked for once more; never later."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[httpx2.Response]],
        *,
        model: str,
        first_token_seconds: float,
        stall_seconds: float,
    ) -> None:
        self._ask = ask
        self._asked_model = model
        self._first_token_seconds = first_token_seconds
        self._stall_seconds = stall_seconds
        self._attempt: Attempt | None = None
        self._closed = False

    @property
    def usage(self) -> Usage:
        return self._attempt.events.usage if self._attempt else Usage()

    @property
    def model(self) -> str:
        return self._attempt.events.model if self._attempt else self._asked_model

    async def __anext__(self) -> str:
        if self._closed:
            raise StopAsyncIteration
        try:
            text = await (self._later(self._attempt) if self._attempt else self._first())
        except BaseException:
            await self.aclose()
            raise
        if not text:
            await self.aclose()
            raise StopAsyncIteration
        return text

    async def aclose(self) -> None:
        self._closed = True
        if self._attempt:
            await self._attempt.aclose()

    async def _first(self) -> str:
        """The first text, whatever comes before it and however often it is asked for, within its time."""
        with translated():
            async with asyncio.timeout(self._first_token_seconds):
                text = await self._opening()
        if not text:
            raise ProviderEmpty("a reply without text")
        return text

    async def _opening(self) -> str:
        attempt = await self._connect()
        try:
            return await attempt.text()
        except BROKEN:
            await attempt.aclose()
        return await (await self._connect()).text()

    async def _connect(self) -> Attempt:
        self._attempt = Attempt(await self._ask(), self._asked_model)
        return self._attempt

    async def _later(self, attempt: Attempt) -> str:
        try:
            async with asyncio.timeout(self._stall_seconds):
                return await attempt.text()
        except BROKEN as error:
            if attempt.events.finished:  # only the token counts are missing
                return ""
            raise ProviderInterrupted(f"the reply broke off ({cause_of(error)})") from None
