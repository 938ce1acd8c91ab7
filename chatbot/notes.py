"""What is kept with a reply beside its text."""

from typing import TYPE_CHECKING, Any

from django.conf import settings

from .retrieval import Decision

if TYPE_CHECKING:
    from .turn import Turn


def sources(turn: "Turn") -> list[dict[str, Any]]:
    passages = turn.retrieved.passages
    return [
        {"n": n, "faq_id": passages[n - 1].faq_id, "question": passages[n - 1].question, "url": passages[n - 1].url}
        for n in turn.citations.cited
    ]


def confidence(turn: "Turn") -> float | None:
    """The probability that the best passage answers; None where nothing was looked for."""
    return None if turn.occasion or not turn.retrieved.question else round(turn.retrieved.confidence, 4)


def metadata(turn: "Turn") -> dict[str, Any]:
    """What is worth keeping for editors: the decision, the scores, and what was offered."""
    found = turn.retrieved
    scores = [{"faq_id": passage.faq_id, "score": round(passage.score, 4)} for passage in found.passages]
    noted: dict[str, Any] = {
        "decision": turn.occasion or found.decision.value,
        "scores": scores,
        "language": turn.language,
    }
    if turn.offers_human:
        noted["offered_human"] = True
    if found.parts:
        noted["parts"] = [{"question": part.question, "decision": part.decision.value} for part in found.parts]
    if not turn.occasion and found.decision is Decision.CLARIFY and settings.CHAT_PROVIDER == "local":
        noted["suggestions"] = [passage.question for passage in found.passages[:2]]
    return noted
