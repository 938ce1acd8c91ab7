"""What the search is made of: models of embeddings, their vectors, the heads fitted on these, and words too common to look for."""

import hashlib
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField


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
    faq = models.ForeignKey("faqs.FAQ", on_delete=models.CASCADE, related_name="embeddings")
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


class CommonWord(models.Model):
    """A word that too many published FAQs of a language share for the search to look for it (`services.count_words`)."""

    language = models.CharField(max_length=8)
    lexeme = models.TextField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["language", "lexeme"], name="common_word_unique"),
        ]

    def __str__(self) -> str:
        return self.lexeme


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
