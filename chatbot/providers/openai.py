"""Any server with OpenAI's HTTP interface: streamed replies, short completions, embeddings and moderation.

Requests and answers go past the SDK's types: to walk through a request's takes as long as to send it, and parsed chunks cost
about eight times the CPU. Its connections, retries, headers and errors are used.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, TypeVar

import httpx2
import orjson
from openai import APIStatusError, AsyncOpenAI, DefaultAioHttpClient, OpenAIError, RequestOptions

from .base import (
    ChatMessage,
    ProviderEmpty,
    ProviderError,
    ProviderRejected,
    ProviderUnavailable,
    Verdict,
)
from .openai_stream import MISSHAPEN, Malformed, OpenAIStream, cause_of, storable, translated

PROVIDER = "openai"
REJECTED = {400, 401, 403, 404, 422}
CONNECT_SECONDS = 5.0
PING_SECONDS = 2.0
# For everything that is not streamed, retries included; a reply in the making has a deadline of its own.
ANSWER_SECONDS = 60.0
EMBED_BATCH = 256
T = TypeVar("T")


def _refusal(error: APIStatusError) -> ProviderError:
    """The status and the error's own code; never its text, which may quote the key or the prompt."""
    known = re.fullmatch(r"[a-z_]{1,60}", error.code or "")
    code = known.group() if known else "no code"
    kind = ProviderRejected if error.status_code in REJECTED else ProviderUnavailable
    return kind(f"HTTP {error.status_code} ({code})")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """As `translated`, and for the errors of the SDK as well."""
    with translated():
        try:
            yield
        except APIStatusError as error:
            raise _refusal(error) from None
        except OpenAIError as error:
            raise ProviderUnavailable(cause_of(error)) from None


class OpenAIProvider:
    """Chat, embeddings and moderation over one connection pool; use an instance from one event loop only.

    A failed start is tried three times. A stream has two time limits, its total deadline is the caller's; every other request
    is given up after `first_token_seconds` of silence and `ANSWER_SECONDS` in all. Raises ProviderError.
    """

    name = PROVIDER

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        chat_model: str,
        embedding_model: str,
        embedding_width: int,
        moderation_model: str,
        max_tokens: int,
        first_token_seconds: float,
        stall_seconds: float,
    ) -> None:
        self.embedding_model = embedding_model
        self.embedding_width = embedding_width
        self._chat_model = chat_model
        self._moderation_model = moderation_model
        self._max_tokens = max_tokens
        self._first_token_seconds = first_token_seconds
        self._stall_seconds = stall_seconds
        # The default of 5 s would mean a new TLS handshake for almost every turn of a quiet site.
        limits = httpx2.Limits(max_connections=1000, max_keepalive_connections=100, keepalive_expiry=60)
        self._client = AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=2,
            timeout=httpx2.Timeout(first_token_seconds, connect=CONNECT_SECONDS),
            http_client=DefaultAioHttpClient(limits=limits),
        )

    def stream(self, messages: Sequence[ChatMessage]) -> OpenAIStream:
        """Ask for a reply; the request is sent when the first piece is awaited."""
        return OpenAIStream(
            partial(self._open, messages),
            model=self._chat_model,
            first_token_seconds=self._first_token_seconds,
            stall_seconds=self._stall_seconds,
        )

    async def _open(self, messages: Sequence[ChatMessage]) -> httpx2.Response:
        body = {
            "model": self._chat_model,
            "messages": _prompt(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **self._limit(self._max_tokens),
        }
        # The stream has limits of its own, for text instead of bytes.
        options = RequestOptions(timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS))
        with _translated():
            return await self._client.post(
                "/chat/completions", body=body, cast_to=httpx2.Response, stream=True, options=options
            )

    async def complete(self, messages: Sequence[ChatMessage], max_tokens: int) -> str:
        """A whole short text. Raises ProviderEmpty when there is none."""
        text = await self._answer(
            "/chat/completions",
            {"model": self._chat_model, "messages": _prompt(messages), **self._limit(max_tokens)},
            lambda body: storable(body["choices"][0]["message"].get("content")),
        )
        if not text.strip():
            raise ProviderEmpty("a completion without text")
        return text

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """One vector of `embedding_width` numbers a text, in the order of the texts."""
        batches = [texts[start : start + EMBED_BATCH] for start in range(0, len(texts), EMBED_BATCH)]
        return [vector for batch in batches for vector in await self._embed_batch(batch)]

    async def _embed_batch(self, texts: Sequence[str]) -> list[list[float]]:
        vectors = await self._answer(
            "/embeddings",
            {
                "model": self.embedding_model,
                "input": list(texts),
                "dimensions": self.embedding_width,
                "encoding_format": "float",
            },
            lambda body: [list(map(float, row["embedding"])) for row in sorted(body["data"], key=itemgetter("index"))],
        )
        widths = {len(vector) for vector in vectors}
        if len(vectors) != len(texts) or widths != {self.embedding_width}:
            raise ProviderRejected(f"{len(vectors)} vectors of {sorted(widths)} numbers for {len(texts)} texts")
        return vectors

    async def moderate(self, text: str) -> Verdict:
        return await self._answer("/moderations", {"model": self._moderation_model, "input": text}, _verdict)

    async def _answer(self, path: str, body: dict[str, Any], read: Callable[[Any], T]) -> T:
        """Ask, await the whole response and take from its JSON what is wanted."""
        with _translated():
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._client.post(path, body=body, cast_to=httpx2.Response)
            try:
                return read(orjson.loads(response.content))
            except MISSHAPEN:
                raise Malformed("the answer is not what the interface says") from None

    async def ping(self) -> None:
        """Raises ProviderError unless the server answers this key within two seconds."""
        with _translated():
            async with asyncio.timeout(PING_SECONDS):
                await self._client.with_options(max_retries=0).models.with_raw_response.list()

    async def aclose(self) -> None:
        await self._client.close()

    def _limit(self, tokens: int) -> dict[str, Any]:
        """OpenAI's newer models refuse the name that every other server knows."""
        newer = self._client.base_url.host == "api.openai.com"
        return {"max_completion_tokens" if newer else "max_tokens": tokens}


@dataclass(frozen=True)
class OpenAIEmbedder:
    """The provider's embedding model behind the common interface."""

    client: OpenAIProvider
    provider: str = PROVIDER
    languages: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.client.embedding_model

    @property
    def width(self) -> int:
        return self.client.embedding_width

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return await self.client.embed(texts)


def _prompt(messages: Sequence[ChatMessage]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _verdict(body: Any) -> Verdict:
    result = body["results"][0]
    found = tuple(sorted(category for category, hit in result["categories"].items() if hit))
    return Verdict(flagged=bool(result["flagged"]), categories=found, provider=PROVIDER)
