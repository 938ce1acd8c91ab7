"""What every provider offers, and the ways it can fail."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self


@dataclass(frozen=True)
class ChatMessage:
    """One message of a prompt; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True)
class Usage:
    """Tokens that a reply cost, as the provider counted them; zeros when it did not tell."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True)
class Verdict:
    """The outcome of a moderation; `categories` are the provider's own names of what was found."""

    flagged: bool
    categories: tuple[str, ...]
    provider: str


class ProviderError(Exception):
    """A provider did not do what was asked. The text is safe to log: no key and no message content."""

    code: ClassVar[str] = "provider_unavailable"


class ProviderUnavailable(ProviderError):
    """Not reached, overloaded, broken or too slow; worth trying again later."""


class ProviderInterrupted(ProviderError):
    """A reply broke off after its first text."""

    code = "provider_interrupted"


class ProviderEmpty(ProviderError):
    """A reply ended without any text."""

    code = "provider_empty"


class ProviderRejected(ProviderError):
    """The request or the key was refused; the same request will be refused again."""

    code = "provider_rejected"


class TextStream(ABC):
    """A reply's text, piece by piece as it comes. Closing it ends the provider's work at once.

    `usage` and `model` are final once the stream is exhausted. Iterating raises ProviderError.
    """

    def __aiter__(self) -> Self:
        return self

    @property
    @abstractmethod
    def usage(self) -> Usage: ...

    @property
    @abstractmethod
    def model(self) -> str: ...

    @abstractmethod
    async def __anext__(self) -> str: ...

    @abstractmethod
    async def aclose(self) -> None: ...


class ChatProvider(Protocol):
    @property
    def name(self) -> str: ...

    def stream(self, messages: Sequence[ChatMessage]) -> TextStream: ...

    async def complete(self, messages: Sequence[ChatMessage], max_tokens: int) -> str: ...


class Embedder(Protocol):
    """A model that makes vectors of `width` numbers; no `languages` means every language."""

    @property
    def provider(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def width(self) -> int: ...

    @property
    def languages(self) -> tuple[str, ...]: ...

    async def embed(self, texts: Sequence[str]) -> list[list[float]]: ...


class Moderator(Protocol):
    async def moderate(self, text: str) -> Verdict: ...
