"""Gaps as editors see them: the most asked lately first."""

from datetime import timedelta

from django.db.models import Count, Max, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from pgvector.django import CosineDistance

from .. import selectors
from ..models import Category
from ..selectors import Passage
from .models import Gap, GapQuestion

LATELY = timedelta(days=30)


def ranked() -> QuerySet[Gap]:
    """Gaps with `people` (different ones who asked lately), `asked`, `latest` and `label`, the question nearest to their middle."""
    lately = Q(questions__asked_at__gte=timezone.now() - LATELY)
    person = "questions__message__conversation__user"
    distance = CosineDistance("embedding", OuterRef("centroid"))
    middle = GapQuestion.objects.filter(gap=OuterRef("pk")).annotate(distance=distance).order_by("distance", "pk")
    return Gap.objects.annotate(
        people=Count(person, distinct=True, filter=lately),
        asked=Count("questions", distinct=True),
        latest=Max("questions__asked_at"),
        label=Subquery(middle.values("text")[:1]),
    ).order_by("-people", "-latest", "-pk")


def questions(gap: Gap, *, limit: int = 50) -> list[GapQuestion]:
    return list(gap.questions.order_by("-asked_at")[:limit])


def nearest_faqs(gap: Gap) -> list[Passage]:
    """Published FAQs that the gap may be a phrasing of."""
    return selectors.searching(model=gap.model, vector=gap.centroid, query_text="", language=gap.language).ask()


def likely_category(nearest: list[Passage]) -> Category | None:
    """That of the nearest FAQ, else the first one."""
    if nearest and (category := Category.objects.filter(faqs=nearest[0].faq_id).first()):
        return category
    return Category.objects.first()
