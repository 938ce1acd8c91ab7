"""The knowledge base: categories, FAQs with their phrasings, and the embeddings that search them."""

import hashlib
from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField


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
    search_vector = SearchVectorField(null=True, editable=False)

    objects: ClassVar[models.Manager["FAQ"]] = FAQQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar[list[str]] = ["-priority", "question"]
        verbose_name = "FAQ"
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


class EmbeddingModel(models.Model):
    """A model whose vectors are kept; each has an HNSW index of its own (`services.register_model`).

    Questions are searched with live models only. A model that is building catches up beside them; one that was retired keeps its
    vectors, so that a switch can be rolled back.
    """

    class Status(models.TextChoices):
        BUILDING = "building", _("Building")
        LIVE = "live", _("Live")
        RETIRED = "retired", _("Retired")

    provider = models.CharField(max_length=32)
    name = models.CharField(max_length=100)
    width = models.PositiveSmallIntegerField(help_text=_("Numbers in a vector."))
    # An empty list: every language.
    languages = models.JSONField(default=list, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.BUILDING)
    created_at = models.DateTimeField(auto_now_add=True)
    # The models of one switch share its time: `services.roll_back`.
    live_since = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["provider", "name", "width"], name="embedding_model_unique"),
            models.CheckConstraint(name="embedding_model_width", condition=Q(width__gte=1, width__lte=2000)),
        ]

    def __str__(self) -> str:
        return f"{self.provider}/{self.name}"

    def covers(self, language: str) -> bool:
        return not self.languages or language in self.languages

    def replaces(self, other: "EmbeddingModel") -> bool:
        """Whether everything that the other is used for can be asked of this one."""
        return not self.languages or bool(other.languages and set(other.languages) <= set(self.languages))


class Embedding(models.Model):
    """One text of a FAQ as a vector of its model's width."""

    class Kind(models.TextChoices):
        QUESTION = "question", _("Question")
        PHRASING = "phrasing", _("Phrasing")
        ANSWER = "answer", _("Answer")

    model = models.ForeignKey(EmbeddingModel, on_delete=models.CASCADE, related_name="embeddings")
    faq = models.ForeignKey(FAQ, on_delete=models.CASCADE, related_name="embeddings")
    kind = models.CharField(max_length=16, choices=Kind)
    text_hash = models.CharField(max_length=64)
    # No fixed width: the partial index of each model casts to its own.
    embedding = VectorField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["model", "faq", "kind", "text_hash"], name="embedding_unique"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["model", "text_hash"], name="embedding_by_text")]

    def __str__(self) -> str:
        return f"{self.kind} of FAQ {self.faq_id}"

    @staticmethod
    def hash_of(text: str) -> str:
        """SHA-256 of the text, in hex: the key under which a vector is reused."""
        return hashlib.sha256(text.encode()).hexdigest()


class Head(models.Model):
    """What was fitted on one model's vectors: weights that rank better than the nearest text alone, and calibrations by language.

    `fitted_on` names the state of the vectors (`selectors.vectors_version`); a head of another state is stale and is not used.
    """

    model = models.ForeignKey(EmbeddingModel, on_delete=models.CASCADE, related_name="heads")
    fitted_on = models.CharField(max_length=64)
    # Empty while there are too few FAQs to learn from.
    weights = models.BinaryField(default=bytes)
    calibrations = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["model", "-id"], name="head_latest")]

    def __str__(self) -> str:
        return f"Head {self.pk} of model {self.model_id}"
