"""Consent, exports, erasures, and the log of who looked at personal data."""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from ..fields import EncryptedBinaryField, EncryptedTextField


class Consent(models.Model):
    """One decision of a person: for what, on which version of the text, when, and from where. Rows are only ever added."""

    class Purpose(models.TextChoices):
        PRIVACY = "privacy", _("I have read how my data is used")
        PROCESSING = "processing", _("My conversations may be used to improve the answers")
        MARKETING = "marketing", _("You may send me news and offers")

    class Source(models.TextChoices):
        PAGE = "page", _("Page")
        API = "api", _("API")
        STAFF = "staff", _("Staff")

    # The fields of the user that hold the latest decision.
    FLAGS: ClassVar[dict[str, str]] = {
        Purpose.PRIVACY: "gdpr_consent",
        Purpose.PROCESSING: "data_processing_consent",
        Purpose.MARKETING: "marketing_consent",
    }

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="consents")
    purpose = models.CharField(max_length=16, choices=Purpose)
    version = models.CharField(max_length=32)
    granted = models.BooleanField()
    source = models.CharField(max_length=8, choices=Source)
    address = EncryptedTextField(blank=True, help_text=_("The network address that it came from."))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-pk"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["user", "purpose", "-id"], name="consent_latest")]

    def __str__(self) -> str:
        return f"{self.purpose} {'granted' if self.granted else 'withdrawn'}"


class Export(models.Model):
    """A person's request for a copy of everything about them, and the copy until it expires."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("Queued")
        RUNNING = "running", _("Running")
        READY = "ready", _("Ready")
        FAILED = "failed", _("Failed")

    ACTIVE: ClassVar[list[str]] = [Status.QUEUED, Status.RUNNING]
    MOST_ATTEMPTS = 3

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="exports")
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    progress = models.PositiveSmallIntegerField(default=0, help_text=_("Percent."))
    archive = EncryptedBinaryField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user"], name="export_one_active", condition=Q(status__in=["queued", "running"])
            ),
            models.CheckConstraint(
                name="export_ready_has_archive",
                condition=Q(status="ready", archive__isnull=False, expires_at__isnull=False)
                | (~Q(status="ready") & Q(archive__isnull=True)),
            ),
            models.CheckConstraint(name="export_progress_range", condition=Q(progress__lte=100)),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.progress} %"

    @property
    def is_active(self) -> bool:
        return self.status in self.ACTIVE

    @property
    def is_available(self) -> bool:
        return self.status == self.Status.READY and self.expires_at is not None and self.expires_at > timezone.now()


class Erasure(models.Model):
    """A person's wish to be forgotten: it may be taken back until `due_at`, and ends in a signed certificate."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # Null from the moment it is carried out: the certificate names the person by a pseudonym only.
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="erasures")
    requested_at = models.DateTimeField(auto_now_add=True)
    due_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)
    certificate = models.JSONField(null=True)
    signature = models.CharField(max_length=128, blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-requested_at"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["user"],
                name="erasure_one_pending",
                condition=Q(completed_at__isnull=True, cancelled_at__isnull=True),
            ),
            models.CheckConstraint(
                name="erasure_completed_has_certificate",
                condition=Q(completed_at__isnull=True, certificate__isnull=True)
                | Q(completed_at__isnull=False, certificate__isnull=False, user__isnull=True),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["due_at"], name="erasure_due", condition=Q(completed_at__isnull=True, cancelled_at__isnull=True)
            ),
        ]

    def __str__(self) -> str:
        return f"erasure {self.pk}"

    @classmethod
    def due_date(cls) -> Any:
        return timezone.now() + timedelta(days=settings.ERASURE_GRACE_DAYS)


class AuditEntry(models.Model):
    """One access of staff to personal data. The database refuses changes; each row's hash covers the one before it."""

    class Action(models.TextChoices):
        LIST = "list", _("Listed")
        VIEW = "view", _("Looked at")
        ADD = "add", _("Added")
        CHANGE = "change", _("Changed")
        DELETE = "delete", _("Deleted")
        EXPORT = "export", _("Exported")

    number = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    # Pseudonyms (accounts.vault): an erased person cannot be told from them, and the chain stays whole.
    actor = models.CharField(max_length=24)
    subject = models.CharField(max_length=24, blank=True)
    action = models.CharField(max_length=16, choices=Action)
    kind = models.CharField(max_length=64, help_text=_("The model, such as accounts.user."))
    details = models.JSONField(default=dict)
    key_id = models.CharField(max_length=32)
    previous = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-number"]
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["actor", "-number"], name="audit_actor"),
            models.Index(fields=["subject", "-number"], name="audit_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action} {self.kind}"
