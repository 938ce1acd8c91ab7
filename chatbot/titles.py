"""A conversation's title after its first turn."""

from collections.abc import Sequence

import structlog
from django.conf import settings

from conversations.models import Message

from .providers import registry
from .providers.base import ChatMessage, ProviderError

log = structlog.get_logger(__name__)
LONGEST = 60
INSTRUCTION = "Write a title of at most six words for this conversation, in its language. Answer with the title only."


async def title_of(messages: Sequence[Message]) -> str:
    """A model's title when there is one to ask, else the first question, shortened at a word."""
    question = next((message.content for message in messages if message.role == Message.Role.USER), "")
    if settings.CHAT_PROVIDER != "local":
        transcript = "\n".join(f"{message.role}: {message.content[:500]}" for message in messages)
        try:
            title = await registry.chat().complete(
                [ChatMessage("system", INSTRUCTION), ChatMessage("user", transcript)], max_tokens=30
            )
            return title.strip().strip('"') or shortened(question)
        except ProviderError as error:
            log.info("title_from_question", error=error.code)
    return shortened(question)


def shortened(text: str) -> str:
    text = " ".join(text.split())
    if len(text) <= LONGEST:
        return text
    return text[:LONGEST].rsplit(" ", 1)[0].rstrip(",;:.") + "…"
