"""What the stand-in server says: streamed and whole replies, vectors and verdicts."""

import asyncio
import contextlib
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np
import orjson
from aiohttp import web
from numpy.typing import NDArray

from .fake_behaviour import Behaviour

TOKEN = re.compile(r"\S+\s*|\s+")
WORD = re.compile(r"\w+")


@dataclass
class Statistics:
    requests: Counter[str] = field(default_factory=Counter)
    streams_open: int = 0
    connections: int = 0
    last_request: dict[str, Any] = field(default_factory=dict)
    last_authorization: str = ""


def tokens_of(behaviour: Behaviour, said: str) -> list[str]:
    """The text to answer, in words: the one that was ordered, or an echo and numbered words."""
    if behaviour.empty:
        return []
    if behaviour.text:
        return TOKEN.findall(behaviour.text)
    echo = f'You asked: "{said}" '
    return TOKEN.findall(echo + " ".join(f"word{n}" for n in range(1, behaviour.tokens + 1)))[: behaviour.tokens]


async def drop(request: web.Request) -> None:
    """Close the connection after what was sent; the handler is cancelled with it."""
    if request.transport is not None:
        request.transport.close()
    await asyncio.Event().wait()


@dataclass
class Reply:
    """One chat completion, whole or streamed."""

    asked: dict[str, Any]
    behaviour: Behaviour
    tokens: Sequence[str]
    statistics: Statistics

    @property
    def usage(self) -> dict[str, int]:
        prompt = sum(len(message["content"]) for message in self.asked["messages"]) // 4 + 1
        written = len(self.tokens)
        return {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}

    def whole(self) -> dict[str, Any]:
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "".join(self.tokens)},
            "finish_reason": "stop",
        }
        return {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            **self._common([choice]),
            "usage": self.usage,
        }

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
        self.statistics.streams_open += 1
        try:
            with contextlib.suppress(ConnectionResetError):
                await response.prepare(request)
                async for event in self._events(request):
                    await self._write(response, event)
                await asyncio.sleep(self.behaviour.linger)
        finally:
            self.statistics.streams_open -= 1
        return response

    async def _events(self, request: web.Request) -> AsyncIterator[bytes]:
        yield self._event({"role": "assistant", "content": ""})
        clock = asyncio.get_running_loop().time
        first = clock() + self.behaviour.first
        for sent, token in enumerate([*self.tokens, ""]):
            if (fault := self._fault(sent)) is not None:
                yield fault
                await self._end(request, sent)
            if sent < len(self.tokens):
                # By the clock, so that a late token does not delay the ones after it.
                await asyncio.sleep(max(0.0, first + sent * self.behaviour.interval - clock()))
                yield self._event({"content": f"{time.monotonic_ns()} " if self.behaviour.stamp else token})
        for closing in self._closing():
            yield closing

    def _fault(self, sent: int) -> bytes | None:
        """What is sent at a fault that is due after so many tokens; None when none is."""
        if sent == self.behaviour.invalid:
            return b'data: {"choices": [{"delta": {"content": "bro'
        if sent == self.behaviour.error:
            return b'data: {"error": {"message": "The server had an error", "type": "server_error"}}'
        return b"" if sent in {self.behaviour.cut, self.behaviour.stall} else None

    async def _end(self, request: web.Request, sent: int) -> None:
        if sent == self.behaviour.cut:
            await drop(request)
        if sent == self.behaviour.stall:
            await asyncio.Event().wait()

    def _closing(self) -> list[bytes]:
        events = [self._event({}, "stop")] if self.behaviour.finish else []
        if self.behaviour.usage and (self.asked.get("stream_options") or {}).get("include_usage"):
            events.append(b"data: " + orjson.dumps({**self._common([]), "usage": self.usage}))
        return [*events, b"data: [DONE]"] if self.behaviour.done else events

    def _common(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {"created": 0, "model": self.asked["model"], "choices": choices}

    def _event(self, delta: dict[str, str], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        event = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", **self._common([choice])}
        return b"data: " + orjson.dumps({**event, "sent_at": time.monotonic_ns()})

    async def _write(self, response: web.StreamResponse, event: bytes) -> None:
        if not event:
            return
        newline = b"\r\n" if self.behaviour.crlf else b"\n"
        block = event + newline * 2
        if self.behaviour.comments:
            block = b": keep-alive" + newline * 2 + b"event: message" + newline + b"id: 1" + newline + block
        size = self.behaviour.split or len(block)
        for start in range(0, len(block), size):
            await response.write(block[start : start + size])
            if self.behaviour.split:
                await asyncio.sleep(0)  # each piece reaches the network by itself


def failure(behaviour: Behaviour) -> web.Response:
    """An error answer in OpenAI's form; like the real one it may quote the key."""
    codes = {400: "context_length_exceeded", 401: "invalid_api_key", 429: "rate_limit_exceeded"}
    error = {
        "message": "Refused as told, for key sk-secret",
        "type": "fake_error",
        "param": None,
        "code": codes.get(behaviour.status),
    }
    headers = {"Retry-After": behaviour.retry_after} if behaviour.status == 429 else {}
    return web.json_response({"error": error}, status=behaviour.status, headers=headers)


@lru_cache(maxsize=20_000)
def _word_vector(word: str, width: int) -> NDArray[np.float64]:
    seed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
    return np.random.default_rng(seed).standard_normal(width)


def vector(text: str, width: int) -> list[float]:
    """The same for the same words in any order; texts that share words are near to each other. Length 1."""
    words = WORD.findall(text.casefold()) or [""]
    total = np.sum([_word_vector(word, width) for word in words], axis=0)
    return [float(number) for number in total / np.linalg.norm(total)]


def vectors(asked: dict[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    width = asked.get("dimensions", 1536)
    rows = [{"object": "embedding", "index": n, "embedding": vector(text, width)} for n, text in enumerate(texts)]
    # Not in order: only the index tells which vector is whose.
    usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
    return {"object": "list", "data": rows[::-1], "model": asked["model"], "usage": usage}


def moderation(asked: dict[str, Any]) -> dict[str, Any]:
    """Flags every input that holds FLAGME."""
    flagged = "FLAGME" in asked["input"]
    categories = {"hate": False, "violence": flagged, "harassment": flagged}
    result = {"flagged": flagged, "categories": categories, "category_scores": dict.fromkeys(categories, 0.0)}
    return {"id": "modr-fake", "model": asked["model"], "results": [result]}
