"""What readers think of a FAQ."""

from typing import ClassVar

from django.conf import settings
from django.db import models


class Vote(models.Model):
    """One person's verdict on a FAQ; the FAQ's counts follow it (`services.vote`)."""

    faq = models.ForeignKey("faqs.FAQ", on_delete=models.CASCADE, related_name="votes")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="faq_votes")
    helpful = models.BooleanField()
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["faq", "user"], name="vote_unique"),
        ]

    def __str__(self) -> str:
        return f"{'helpful' if self.helpful else 'not helpful'}: FAQ {self.faq_id}"
