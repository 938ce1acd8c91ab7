"""The knowledge base: categories and FAQs with their phrasings; the models of its other parts are named here too."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.expressions import ArraySubquery
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from .content import Content
from .curation_models import Draft, GoldenQuestion, LinkCheck, PhrasingsKept, PublishRun, StatusEvent
from .exchange.models import Import, ImportedFAQ, ImportRow
from .gaps.models import Gap, GapQuestion
from .help.models import Vote
from .ingest.models import Ingest, Source
from .search_models import CommonWord, Embedding, EmbeddingModel, Head

__all__ = [
    "FAQ",
    "Category",
    "CommonWord",
    "Draft",
    "Embedding",
    "EmbeddingModel",
    "Gap",
    "GapQuestion",
    "GoldenQuestion",
    "Head",
    "Import",
    "ImportRow",
    "ImportedFAQ",
    "Ingest",
    "LinkCheck",
    "Phrasing",
    "PublishRun",
    "Source",
    "StatusEvent",
    "Vote",
]
# A row of a FAQ's history is what editors wrote, not what visitors did.
_NOT_IN_HISTORY = [
    "search_vector",
    "view_count",
    "helpful_count",
    "not_helpful_count",
    "original_checked_at",
    "links_checked_at",
]


class Category(models.Model):
    name = models.CharField(max_length=100, unique=True)
    slug = models.SlugField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    position = models.PositiveIntegerField(default=0, help_text=_("Lower comes first."))

    class Meta:
        ordering: ClassVar[list[str]] = ["position", "name"]
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class FAQQuerySet(models.QuerySet["FAQ"]):
    def published(self) -> Self:
        return self.filter(status=FAQ.Status.PUBLISHED)

    def with_languages(self) -> Self:
        """Each with the `languages` that it exists in, and when its original `original_changed_at` (None: it is the original)."""
        versions = FAQ.objects.filter(slug=OuterRef("slug")).order_by("language")
        original = versions.filter(language=settings.LANGUAGE_CODE).exclude(language=OuterRef("language"))
        return self.annotate(
            languages=ArraySubquery(versions.values("language")),
            original_changed_at=Subquery(original.values("updated_at")[:1]),
        )

    def behind_original(self) -> Self:
        """Of `with_languages`: those whose original changed since they were written or looked at."""
        return self.filter(original_changed_at__gt=Coalesce("original_checked_at", "updated_at"))

    def visible_to(self, user: Any) -> Self:
        """All of them for curators, the published ones for everybody else."""
        return self.all() if user.has_perm("faqs.view_faq") else self.published()


class FAQ(models.Model):
    """A question with its answer (Markdown) in one language; language versions share their slug."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        REVIEW = "review", _("In review")
        PUBLISHED = "published", _("Published")
        ARCHIVED = "archived", _("Archived")

    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="faqs")
    question = models.CharField(max_length=300)
    answer = models.TextField(help_text=_("Markdown."))
    keywords = models.JSONField(default=list, blank=True, help_text=_('A list of words, such as ["parcel", "DHL"].'))
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    priority = models.PositiveSmallIntegerField(default=50, help_text=_("0 to 100; breaks ties between equal answers."))
    language = models.CharField(max_length=8, choices=settings.LANGUAGES, default="en")
    view_count = models.PositiveIntegerField(default=0, editable=False)
    helpful_count = models.PositiveIntegerField(default=0, editable=False)
    not_helpful_count = models.PositiveIntegerField(default=0, editable=False)
    slug = models.SlugField(
        max_length=120, blank=True, help_text=_("Part of the public address; made from the question.")
    )
    meta_title = models.CharField(max_length=70, blank=True)
    meta_description = models.CharField(max_length=160, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    # A language version: when somebody last saw that it says what its original says.
    original_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    links_checked_at = models.DateTimeField(null=True, blank=True, editable=False)
    search_vector = SearchVectorField(null=True, editable=False)

    objects: ClassVar[models.Manager["FAQ"]] = FAQQuerySet.as_manager()  # type: ignore[assignment]
    history = HistoricalRecords(
        excluded_fields=_NOT_IN_HISTORY,
        bases=[PhrasingsKept],
        history_change_reason_field=models.TextField(null=True),
    )

    class Meta:
        ordering: ClassVar[list[str]] = ["-priority", "question"]
        verbose_name = "FAQ"
        permissions = (("publish_faq", "Can publish FAQs"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["slug", "language"],
                name="faq_slug_language_unique",
                violation_error_message=_("Another FAQ in this language has this slug. Choose a different one."),
            ),
            models.CheckConstraint(name="faq_priority_range", condition=Q(priority__lte=100)),
            models.CheckConstraint(
                name="faq_published_has_date", condition=~Q(status="published") | Q(published_at__isnull=False)
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["status", "language"], name="faq_status_language"),
            GinIndex(fields=["search_vector"], name="faq_search"),
        ]

    def __str__(self) -> str:
        return self.question

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.slug = self.slug or slugify(self.question)[:120] or "faq"
        if self.status == self.Status.PUBLISHED and self.published_at is None:
            self.published_at = timezone.now()
        super().save(*args, **kwargs)

    @property
    def is_live(self) -> bool:
        return self.status == self.Status.PUBLISHED

    @property
    def next_version(self) -> Draft | None:
        """What editors are making of a published FAQ, if anything."""
        return getattr(self, "draft", None)

    @property
    def stage(self) -> str:
        """The status of what editors work on: of the next version, where there is one."""
        return self.next_version.stage if self.next_version else self.status

    @property
    def working(self) -> Content:
        """What editors work on: the next version, else the FAQ itself."""
        return self.next_version.content if self.next_version else Content.of(self)

    def is_behind(self, original: "FAQ") -> bool:
        """Whether the original changed since this version of it was written or looked at."""
        return original != self and original.updated_at > (self.original_checked_at or self.updated_at)

    def get_absolute_url(self) -> str:
        return reverse("faqs:article", args=[self.slug]) + ("" if self.language == "en" else f"?lang={self.language}")


class Phrasing(models.Model):
    """Another way in which people ask a FAQ's question."""

    faq = models.ForeignKey(FAQ, on_delete=models.CASCADE, related_name="phrasings")
    text = models.CharField(max_length=300)

    class Meta:
        ordering: ClassVar[list[str]] = ["pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["faq", "text"], name="phrasing_unique"),
        ]

    def __str__(self) -> str:
        return self.text
