"""Questions that the knowledge base could not answer, gathered by meaning."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField


class Gap(models.Model):
    """What several people asked in their own words. It has no text of its own: that belongs to its questions."""

    class Status(models.TextChoices):
        OPEN = "open", _("Open")
        DRAFTED = "drafted", _("Became a FAQ")
        MERGED = "merged", _("Phrasing of a FAQ")
        DISMISSED = "dismissed", _("Dismissed")

    status = models.CharField(max_length=16, choices=Status, default=Status.OPEN)
    language = models.CharField(max_length=8)
    model = models.ForeignKey("faqs.EmbeddingModel", on_delete=models.CASCADE, related_name="gaps")
    # The mean of its questions; that of a closed gap stays what it was.
    centroid = VectorField()
    faq = models.ForeignKey("faqs.FAQ", on_delete=models.SET_NULL, null=True, related_name="gaps")
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    closed_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="gap_closed_has_date",
                condition=Q(status="open", closed_at__isnull=True) | (~Q(status="open") & Q(closed_at__isnull=False)),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["model", "language"], name="gap_by_model")]

    def __str__(self) -> str:
        return f"gap {self.pk}"


class GapQuestion(models.Model):
    """A visitor's question; it is deleted with the message that asked it."""

    class Reason(models.TextChoices):
        DECLINED = "declined", _("Declined")
        UNSURE = "unsure", _("Asked back")
        NOT_HELPFUL = "not_helpful", _("Answer not helpful")
        HANDED_OVER = "handed_over", _("Handed over")

    gap = models.ForeignKey(Gap, on_delete=models.CASCADE, related_name="questions")
    message = models.OneToOneField("conversations.Message", on_delete=models.CASCADE, related_name="gap_question")
    text = models.CharField(max_length=1000)
    reason = models.CharField(max_length=16, choices=Reason)
    embedding = VectorField()
    asked_at = models.DateTimeField()

    class Meta:
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["gap", "-asked_at"], name="gap_question_latest")]

    def __str__(self) -> str:
        return self.text
