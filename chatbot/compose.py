"""The extractive composer: answers from the FAQs' own texts, streamed word by word, without a language model."""

import asyncio
import re
from collections.abc import AsyncIterator

from django.conf import settings

from .retrieval import Decision, Retrieved
from .wording import say

_WORDS = re.compile(r"\S+\s*|\s+")


def text_for(retrieved: Retrieved, language: str) -> str:
    """The whole reply to a decision: a passage's answer with its citation, a question back, or not knowing."""
    if retrieved.decision is Decision.ANSWER:
        answer = retrieved.passages[0].answer.rstrip()
        # A citation after a table or a code block would be read as part of it.
        last = answer.rsplit("\n", 1)[-1]
        return answer + ("\n\n[1]" if last.lstrip().startswith(("```", "|")) else " [1]")
    if retrieved.decision is Decision.CLARIFY:
        options = "\n".join(f"- {passage.question}" for passage in retrieved.passages[:2])
        return f"{say('clarify', language)}\n\n{options}"
    return say("decline", language)


async def spoken(text: str) -> AsyncIterator[str]:
    """The text in words, at the pace of `LOCAL_WORDS_PER_SECOND`."""
    pause = 1 / settings.LOCAL_WORDS_PER_SECOND
    for word in _WORDS.findall(text):
        yield word
        await asyncio.sleep(pause)
