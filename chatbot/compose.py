"""The extractive composer: answers from the FAQs' own texts, streamed word by word, without a language model."""

import asyncio
import re
from collections.abc import AsyncIterator

from django.conf import settings

from .retrieval import Decision, Retrieved
from .wording import say

_WORDS = re.compile(r"\S+\s*|\s+")
# What would be Markdown, markup or a citation in a visitor's own words.
_MARKS = re.compile(r"[\[\]()<>*_`#|!~\\]")


def text_for(retrieved: Retrieved, language: str) -> str:
    """The whole reply to a decision: each part with its passage's answer and citation, a question back, or not knowing."""
    if not retrieved.parts:
        return _text_of(retrieved, 1, language)
    places = {passage.faq_id: place for place, passage in enumerate(retrieved.passages, 1)}
    texts: dict[int | str, str] = {}
    for part in retrieved.parts:
        answered = part.decision is Decision.ANSWER
        key = part.passages[0].faq_id if answered else part.question
        texts.setdefault(key, _text_of(part, places[part.passages[0].faq_id] if answered else 0, language, named=True))
    return "\n\n".join(texts.values())


def _text_of(found: Retrieved, place: int, language: str, *, named: bool = False) -> str:
    if found.decision is Decision.ANSWER:
        answer = found.passages[0].answer.rstrip()
        # A citation after a table or a code block would be read as part of it.
        last = answer.rsplit("\n", 1)[-1]
        return answer + (f"\n\n[{place}]" if last.lstrip().startswith(("```", "|")) else f" [{place}]")
    name = _MARKS.sub("", found.question).strip()
    if found.decision is Decision.CLARIFY:
        options = "\n".join(f"- {passage.question}" for passage in found.passages[:2])
        return f"{f'“{name}”: ' if named else ''}{say('clarify', language)}\n\n{options}"
    return say("decline_part", language, part=name) if named else say("decline", language)


async def spoken(text: str) -> AsyncIterator[str]:
    """The text in words, at the pace of `LOCAL_WORDS_PER_SECOND`."""
    pause = 1 / settings.LOCAL_WORDS_PER_SECOND
    for word in _WORDS.findall(text):
        yield word
        await asyncio.sleep(pause)
