"""A help page that becomes draft FAQs, and where each of them came from."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..jobs import Job


class Ingest(Job):
    # A URL, or the name of the file in `content`.
    address = models.CharField(_("page"), max_length=1000, editable=False)
    content = models.BinaryField(null=True, editable=False)
    language = models.CharField(max_length=8)
    category = models.ForeignKey("faqs.Category", on_delete=models.SET_NULL, null=True, related_name="+")
    # [{"heading", "reason"}] of the sections that did not become drafts.
    left_out = models.JSONField(default=list, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]
        verbose_name = _("help page")

    def __str__(self) -> str:
        return self.address


class Source(models.Model):
    """Where a FAQ was taken from."""

    faq = models.OneToOneField("faqs.FAQ", on_delete=models.CASCADE, related_name="source")
    ingest = models.ForeignKey(Ingest, on_delete=models.CASCADE, related_name="sources")
    address = models.CharField(max_length=1000)
    heading = models.CharField(max_length=300)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["address", "heading"], name="source_unique"),
        ]

    def __str__(self) -> str:
        return self.address
