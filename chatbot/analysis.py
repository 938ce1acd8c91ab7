"""What is noted about each visitor's message, off the reply's path: intent, sentiment, entities, language."""

from contextlib import suppress
from typing import Any

from conversations import selectors, services
from conversations.log import locked
from conversations.models import Conversation, Message

from . import followups, mood, runtime, understanding
from .entities import entities
from .mood import Mood
from .providers import registry
from .providers.base import Embedder


def analyse(message: Message) -> None:
    """Read one message and store what it says; tag the conversation once its visitor has had enough. Raises ProviderError."""
    language = understanding.language_of(message.content, message.language)
    felt = runtime.run(mood.mood_of(_embedder(language), message.content))
    noted = {
        "language": language,
        "intent": intent_of(message.content, felt),
        "sentiment": felt.sentiment,
        "annoyance": felt.annoyance,
        "entities": entities(message.content, language),
    }
    if not felt.annoyance:
        services.record_analysis(message_id=message.pk, analysis=noted)
        return
    # In one transaction, one message of a conversation after the other: none is noted without what follows from it.
    with suppress(Conversation.DoesNotExist), locked(message.conversation_id):
        if services.record_analysis(message_id=message.pk, analysis=noted):
            _escalate(message)


def intent_of(text: str, felt: Mood) -> str:
    """A kind of small talk, "human", "complaint", "question" or "statement"."""
    if occasion := understanding.small_talk(text):
        return occasion
    if understanding.wants_human(text):
        return "human"
    if felt.annoyance:
        return "complaint"
    return "question" if followups.is_question(text) else "statement"


def _escalate(message: Message) -> None:
    analyses: list[dict[str, Any] | None] = selectors.latest_analyses(message.conversation_id)
    if mood.is_too_much(mood.annoyances(analyses)):
        services.add_tag(conversation_id=message.conversation_id, tag=services.FRUSTRATED_TAG)


def _embedder(language: str) -> Embedder:
    """The model made for the language before one made for all."""
    covering = [one for one in registry.embedders() if not one.languages or language in one.languages]
    return min(covering, key=lambda one: not one.languages)
