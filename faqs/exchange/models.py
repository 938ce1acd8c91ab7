"""A file that an editor imports, what each of its rows would do, and what was imported before."""

from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from ..jobs import Job


class Import(Job):
    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "XLSX"
        JSON = "json", "JSON"

    name = models.CharField(_("file"), max_length=200, editable=False)
    format = models.CharField(max_length=8, choices=Format, editable=False)
    content = models.BinaryField(editable=False)
    create_categories = models.BooleanField(
        _("create missing categories"),
        default=False,
        help_text=_("Otherwise a row with an unknown category is an error."),
    )
    may_publish = models.BooleanField(default=False, editable=False)
    total = models.PositiveIntegerField(default=0, editable=False)
    notice = models.CharField(max_length=500, blank=True, editable=False)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]

    def __str__(self) -> str:
        return self.name


class ImportRow(models.Model):
    """One row of the file: before the import what it would do, afterwards what it did."""

    class Action(models.TextChoices):
        CREATE = "create", _("New")
        UPDATE = "update", _("Changed")
        UNCHANGED = "unchanged", _("Same as before")
        CONFLICT = "conflict", _("Edited since")
        KEEP = "keep", _("Kept as edited")
        ERROR = "error", _("Error")

    job = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField()
    action = models.CharField(max_length=16, choices=Action)
    # What the row gives, by field; a field that the file does not have stays as it is.
    values = models.JSONField(default=dict)
    # The content that the file was exported with, as a fingerprint.
    version = models.CharField(max_length=64, blank=True)
    # The FAQ's fingerprint when the editor was shown the conflict.
    seen = models.CharField(max_length=64, blank=True)
    overwrite = models.BooleanField(default=False)
    errors = models.JSONField(default=list)
    faq = models.ForeignKey("faqs.FAQ", on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering: ClassVar[list[str]] = ["number"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["job", "number"], name="import_row_unique"),
        ]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["job", "action"], name="import_row_action")]

    def __str__(self) -> str:
        return f"row {self.number}"


class ImportedFAQ(models.Model):
    """The content with which a FAQ was last imported: whether somebody edited it since."""

    faq = models.OneToOneField("faqs.FAQ", on_delete=models.CASCADE, related_name="imported")
    fingerprint = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"FAQ {self.faq_id}"
