"""Writes of gaps: a question finds its gap by meaning, and editors close gaps. A closed gap stays closed when it is asked again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone
from pgvector.django import CosineDistance

from accounts.models import User

from .. import curation
from ..drafts import create_draft
from ..models import FAQ, Category, EmbeddingModel
from .models import Gap, GapQuestion

Status = Gap.Status
TEXT = 1000


@dataclass(frozen=True)
class Question:
    """A visitor's question on its way into a gap; `vector` is of `model`."""

    message_id: UUID
    text: str
    language: str
    reason: str
    asked_at: datetime
    model: EmbeddingModel
    vector: Sequence[float]


@transaction.atomic
def record(question: Question, *, similarity: float) -> GapQuestion:
    """Put a question, once, to the nearest gap that is at least so similar, else into a new one.

    Raises IntegrityError when its message is gone.
    """
    lock(question.model, question.language)
    if held := GapQuestion.objects.filter(message_id=question.message_id).first():
        return held
    gap = _nearest(question, similarity) or Gap.objects.create(
        language=question.language, model=question.model, centroid=list(question.vector)
    )
    row = GapQuestion.objects.create(
        gap=gap,
        message_id=question.message_id,
        text=question.text[:TEXT],
        reason=question.reason,
        embedding=list(question.vector),
        asked_at=question.asked_at,
    )
    refresh([gap.pk])
    return row


def forget(*, message_id: UUID) -> None:
    """The question was answered after all."""
    GapQuestion.objects.filter(message_id=message_id).delete()


def lock(model: EmbeddingModel, language: str) -> None:
    """One writer at a time for the gaps of a model and language, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"gaps:{model.pk}:{language}"])


def _nearest(question: Question, similarity: float) -> Gap | None:
    distance = CosineDistance("centroid", list(question.vector))
    gaps = Gap.objects.filter(model=question.model, language=question.language)
    gap = gaps.annotate(distance=distance).order_by("distance", "pk").first()
    return gap if gap is not None and 1 - gap.distance >= similarity else None


_REFRESH = """
UPDATE faqs_gap g SET centroid = mean.centroid
FROM (SELECT gap_id, avg(embedding) AS centroid FROM faqs_gapquestion WHERE gap_id = ANY(%s) GROUP BY gap_id) mean
WHERE g.id = mean.gap_id AND g.status = 'open'
"""


def refresh(gap_ids: Sequence[int]) -> None:
    """Make the centroids of open gaps the means of their questions."""
    with connection.cursor() as cursor:
        cursor.execute(_REFRESH, [list(gap_ids)])


@transaction.atomic
def move_to_model(*, gap: Gap, model: EmbeddingModel, vectors: dict[int, Sequence[float]]) -> None:
    """Keep a gap under another embedding model; `vectors` are those of its questions, by primary key."""
    for pk, vector in vectors.items():
        GapQuestion.objects.filter(pk=pk).update(embedding=list(vector))
    mean = [sum(column) / len(vectors) for column in zip(*vectors.values(), strict=True)]
    Gap.objects.filter(pk=gap.pk).update(model=model, centroid=mean)


@transaction.atomic
def draft(*, gap: Gap, user: User, question: str, category: Category) -> FAQ | None:
    """Make the gap a draft FAQ; None when somebody closed it before."""
    if not _close(gap, user, Status.DRAFTED):
        return None
    faq = create_draft(category=category, language=gap.language, question=question)
    Gap.objects.filter(pk=gap.pk).update(faq=faq)
    return faq


@transaction.atomic
def merge(*, gap: Gap, user: User, faq: FAQ, phrasing: str) -> bool:
    """Make the gap a phrasing of a FAQ (of a published one: of its next version); False when somebody closed it before.

    Raises NotAllowed when the FAQ cannot be changed now, Conflict when somebody changed it just now.
    """
    if not _close(gap, user, Status.MERGED, faq):
        return False
    working = faq.working
    content = replace(working, phrasings=tuple(sorted({*working.phrasings, phrasing[:300]})))
    curation.save(faq_id=faq.pk, content=content, base=working.digest, by=user)
    return True


def dismiss(*, gap: Gap, user: User) -> bool:
    return _close(gap, user, Status.DISMISSED)


def reopen(*, gap: Gap) -> None:
    Gap.objects.filter(pk=gap.pk).update(status=Status.OPEN, faq=None, closed_by=None, closed_at=None)
    refresh([gap.pk])


def _close(gap: Gap, user: User, status: str, faq: FAQ | None = None) -> bool:
    open_gap = Gap.objects.filter(pk=gap.pk, status=Status.OPEN)
    return bool(open_gap.update(status=status, closed_by=user, closed_at=timezone.now(), faq=faq))
