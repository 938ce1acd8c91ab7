"""What of a conversation is a gap: a question that was declined, asked back, answered badly, or left to a human."""

from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

import structlog
from django.db import IntegrityError
from django.utils import timezone

from conversations import selectors
from conversations.models import Feedback, Message
from faqs.gaps import services
from faqs.gaps.clusters import recluster
from faqs.gaps.models import Gap, GapQuestion
from faqs.models import EmbeddingModel

from . import runtime, understanding
from .providers import registry
from .providers.base import Embedder

log = structlog.get_logger(__name__)
Reason = GapQuestion.Reason
REASONS = {"decline": Reason.DECLINED, "clarify": Reason.UNSURE, "human": Reason.HANDED_OVER}
# From this cosine on two questions mean the same: docs/knowledge.md.
SIMILAR = {"bge-small-en-v1.5": 0.85, "use-multilingual-v3": 0.7}
SIMILAR_OTHERS = 0.8
# A signal that was lost is made up for within this time.
LOOK_BACK = timedelta(hours=1)


def concerns(message: Message) -> bool:
    """Whether a changed message may open or close a gap; asks the database nothing."""
    if message.is_active:
        return False
    verdict = message._state.fields_cache.get("feedback")
    return verdict is not None or message.metadata.get("decision") in REASONS or _is_takeover(message)


def _is_takeover(message: Message) -> bool:
    return message.type == Message.Type.EVENT and message.metadata.get("event") == "agent_took_over"


def reason_of(message: Message) -> str:
    """Why the question before a message is a gap; "" when it is none."""
    if message.status == Message.Status.DISCARDED:
        return ""
    if _is_takeover(message):
        return Reason.HANDED_OVER
    verdict = Feedback.objects.filter(message=message).first()
    if verdict is not None and verdict.value == Feedback.Value.DOWN:
        return Reason.NOT_HELPFUL
    return "" if verdict is not None else REASONS.get(message.metadata.get("decision", ""), "")


def record(message_id: UUID) -> None:
    """Note (or take back) the question that a message answered. Raises ProviderError."""
    message = Message.objects.filter(pk=message_id).first()
    if message is None:
        return
    asked = _asked(message)
    if not asked:
        return
    reason = reason_of(message)
    if not reason:
        services.forget(message_id=asked[-1].pk)
    elif not GapQuestion.objects.filter(message=asked[-1]).exists():
        _store(asked, reason, str(message.metadata.get("language") or asked[-1].language))


def _asked(message: Message) -> list[Message]:
    """The visitor's messages that a message answers, in order; before a handover, those that were not themselves a wish for it."""
    before = selectors.shown_before(message)
    runs = [list(run) for role, run in groupby(before, key=lambda one: one.role) if role == Message.Role.USER]
    questions = [run for run in runs if not understanding.small_talk(_text(run))]
    if _is_takeover(message) or message.metadata.get("decision") == "human":
        questions = [run for run in questions if not understanding.wants_human(_text(run))]
        return questions[-1] if questions else []
    return runs[-1] if runs else []


def _text(run: list[Message]) -> str:
    return "\n".join(message.content for message in run)


def _store(asked: list[Message], reason: str, language: str) -> None:
    chosen = _covering(language)
    if chosen is None:
        return
    model, embedder = chosen
    text = _text(asked)
    (vector,) = runtime.run(embedder.embed([text]))
    question = services.Question(asked[-1].pk, text, language, reason, asked[-1].created_at, model, vector)
    try:
        services.record(question, similarity=SIMILAR.get(model.name, SIMILAR_OTHERS))
    except IntegrityError:
        log.info("gap_question_gone", message_id=str(asked[-1].pk))


def _covering(language: str) -> tuple[EmbeddingModel, Embedder] | None:
    """The model made for this language before one made for all."""
    covering = [pair for pair in registry.usable_models() if pair[0].covers(language)]
    return min(covering, key=lambda pair: not pair[0].languages, default=None)


def sweep() -> None:
    """Note what was missed, take gaps along to a new embedding model, and gather the open ones anew. Raises ProviderError."""
    for message_id in selectors.replies_since(_first_id(timezone.now() - LOOK_BACK), decisions=list(REASONS)):
        record(message_id)
    _follow_models()
    for model, _embedder in registry.usable_models():
        recluster(model=model, similarity=SIMILAR.get(model.name, SIMILAR_OTHERS))


def _first_id(moment: datetime) -> UUID:
    """The smallest id that a message of this moment can have: the ids begin with their time."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def _follow_models() -> None:
    live = {model.pk for model, _embedder in registry.usable_models()}
    if not live:
        return
    for gap in Gap.objects.exclude(model__in=live).filter(questions__isnull=False).distinct():
        if (chosen := _covering(gap.language)) is not None:
            texts = dict(gap.questions.values_list("pk", "text"))
            vectors = runtime.run(chosen[1].embed(list(texts.values())))
            services.move_to_model(gap=gap, model=chosen[0], vectors=dict(zip(texts, vectors, strict=True)))
