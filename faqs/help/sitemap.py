"""The public pages for search engines; files of 50,000 addresses each, named by /sitemap.xml."""

from datetime import datetime
from typing import Any

from django.contrib.sitemaps import Sitemap
from django.db.models import QuerySet
from django.urls import reverse

from ..models import FAQ, Category


class FAQs(Sitemap):  # type: ignore[type-arg]
    limit = 50_000

    def items(self) -> QuerySet[FAQ]:
        rows = FAQ.objects.published().only("slug", "language", "updated_at")  # type: ignore[attr-defined]
        ordered: QuerySet[FAQ] = rows.order_by("pk")
        return ordered

    def lastmod(self, faq: FAQ) -> datetime:
        return faq.updated_at


class Categories(Sitemap):  # type: ignore[type-arg]
    def items(self) -> QuerySet[Category]:
        return Category.objects.filter(faqs__status=FAQ.Status.PUBLISHED).distinct().order_by("pk")

    def location(self, category: Category) -> str:
        return reverse("faqs:category", args=[category.slug])


class Start(Sitemap):  # type: ignore[type-arg]
    def items(self) -> list[str]:
        return ["faqs:index"]

    def location(self, name: str) -> str:
        return reverse(name)


SITEMAPS: dict[str, Any] = {"help": Start, "categories": Categories, "faqs": FAQs}
