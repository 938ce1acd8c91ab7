"""Reads of the public help pages."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchRank
from django.db.models import Count, F, QuerySet, Window
from django.db.models.functions import RowNumber

from accounts.models import User

from ..models import FAQ, Category
from ..selectors import Passage, text_config
from .models import Vote


def published_by_category(language: str, *, each: int = 8) -> list[FAQ]:
    """The most important FAQs of every category, with how many it has in the language as `total`."""
    rows = FAQ.objects.published().filter(language=language)  # type: ignore[attr-defined]
    place = Window(RowNumber(), partition_by="category_id", order_by=["-priority", "question", "pk"])
    total = Window(Count("pk"), partition_by="category_id")
    first = rows.annotate(place=place, total=total).filter(place__lte=each)
    return list(first.select_related("category").order_by("category__position", "category__name", "place"))


def published_in(category: Category, language: str) -> QuerySet[FAQ]:
    """The category's FAQs in the language, or in English where it has none."""
    rows = FAQ.objects.published().filter(category=category).order_by("-priority", "question", "pk")  # type: ignore[attr-defined]
    found: QuerySet[FAQ] = rows.filter(language=language)
    return found if language == "en" or found.exists() else rows.filter(language="en")


def versions(slug: str) -> list[FAQ]:
    """The published language versions that share a slug."""
    rows = FAQ.objects.published().filter(slug=slug)  # type: ignore[attr-defined]
    return list(rows.select_related("category").order_by("language"))


def best_version(found: Sequence[FAQ], language: str) -> FAQ:
    """The one in the language, else in English, else any."""
    return min(found, key=lambda faq: (faq.language != language, faq.language != "en", faq.pk))


def related(faq: FAQ, *, limit: int = 6) -> list[FAQ]:
    """What else its category answers in its language, the most important first."""
    rows = FAQ.objects.published().filter(category=faq.category, language=faq.language)  # type: ignore[attr-defined]
    return list(rows.exclude(pk=faq.pk).order_by("-priority", "question")[:limit])


def vote_of(user: User | None, faq: FAQ) -> Vote | None:
    return Vote.objects.filter(faq=faq, user=user).first() if user is not None else None


def passage(faq: FAQ, score: float, matched: str) -> Passage:
    return Passage(faq.pk, faq.slug, faq.language, faq.question, faq.answer, score, matched)


def by_words(query: str, languages: Sequence[str], limit: int) -> list[Passage]:
    """Published FAQs that share words with a query; the score is how much of it they cover, from 0 to 1."""
    words = " or ".join(re.findall(r"\w+", query)[:50])
    wanted = SearchQuery(words, config=text_config(languages[0]), search_type="websearch")
    rows = FAQ.objects.published().filter(language__in=languages, search_vector=wanted)  # type: ignore[attr-defined]
    ranked: Any = rows.annotate(rank=SearchRank(F("search_vector"), wanted, normalization=32))
    return [passage(faq, float(faq.rank), "words") for faq in ranked.order_by("-rank", "-priority", "pk")[:limit]]
