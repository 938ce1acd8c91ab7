"""How FAQs are looked after: next versions, the trail of steps, golden questions, and the runs of the publish gate."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .content import Content


class PhrasingsKept(models.Model):
    """What a row of a FAQ's history keeps beside the FAQ's own fields."""

    phrasings = models.JSONField(default=list)

    class Meta:
        abstract = True

    @property
    def content(self) -> Content:
        return Content.from_row(self, self.phrasings)


class Draft(models.Model):
    """The next version of a published FAQ: editors work on it while visitors read the published one."""

    class Stage(models.TextChoices):
        DRAFT = "draft", _("Draft")
        REVIEW = "review", _("In review")

    faq = models.OneToOneField("faqs.FAQ", models.CASCADE, related_name="draft", primary_key=True)
    stored = models.JSONField(help_text=_("See `content.Content`."))
    stage = models.CharField(max_length=16, choices=Stage, default=Stage.DRAFT)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="draft_stage_known", condition=Q(stage__in=["draft", "review"])),
        ]

    def __str__(self) -> str:
        return f"next version of FAQ {self.faq_id}"

    @property
    def content(self) -> Content:
        return Content.from_json(self.stored)


class StatusEvent(models.Model):
    """One step of a FAQ, or of its next version: who, when, from, to, and why."""

    faq = models.ForeignKey("faqs.FAQ", models.CASCADE, related_name="status_events")
    at = models.DateTimeField(default=timezone.now)
    # Empty when nobody did it: a schedule.
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    from_status = models.CharField(max_length=16, blank=True)
    to_status = models.CharField(max_length=16)
    comment = models.TextField(blank=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["-at", "-pk"]
        indexes: ClassVar[list[models.Index]] = [models.Index(fields=["faq", "-at"], name="status_event_by_faq")]

    def __str__(self) -> str:
        return f"{self.from_status or 'new'} → {self.to_status}"


class GoldenQuestion(models.Model):
    """A question with the FAQ that must answer it; without one it must be declined. Publishing may not break it."""

    question = models.CharField(max_length=300)
    language = models.CharField(max_length=8, choices=settings.LANGUAGES, default="en")
    expected = models.ForeignKey(
        "faqs.FAQ",
        models.CASCADE,
        null=True,
        blank=True,
        related_name="golden_questions",
        help_text=_("The FAQ that must answer. Empty: the assistant must say that it does not know."),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar[list[str]] = ["language", "question"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["question", "language"],
                name="golden_question_unique",
                violation_error_message=_("This question is a golden question already."),
            ),
        ]

    def __str__(self) -> str:
        return self.question


class PublishRunQuerySet(models.QuerySet["PublishRun"]):
    def open(self) -> Self:
        return self.filter(status__in=PublishRun.OPEN)

    def due(self) -> Self:
        return self.open().filter(due_at__lte=timezone.now())


class PublishRun(models.Model):
    """A change of what visitors find, on its way through the golden questions.

    queued -> running -> done | blocked | stale | failed; a blocked one is queued again by an override, a queued one can be cancelled.
    """

    class Action(models.TextChoices):
        PUBLISH = "publish", _("Publish")
        ARCHIVE = "archive", _("Unpublish")
        CHECK = "check", _("Check only")

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        BLOCKED = "blocked", _("Blocked")
        STALE = "stale", _("Outdated")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    OPEN = (Status.QUEUED, Status.RUNNING)

    faq = models.ForeignKey("faqs.FAQ", models.CASCADE, related_name="publish_runs")
    action = models.CharField(max_length=16, choices=Action)
    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    # Exactly what was asked to be published; empty for unpublishing.
    stored = models.JSONField(null=True, blank=True)
    is_rollback = models.BooleanField(default=False)
    due_at = models.DateTimeField(default=timezone.now)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    comment = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    # How golden questions are answered differently: see `chatbot.gate.Change`.
    changes = models.JSONField(default=list)
    questions = models.PositiveIntegerField(default=0, help_text=_("Golden questions that were asked."))
    error = models.TextField(blank=True)
    overridden_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    override_reason = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager["PublishRun"]] = PublishRunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering: ClassVar[list[str]] = ["-created_at"]
        permissions = (("override_gate", "Can publish against the golden questions"),)
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["faq", "action"], name="publish_run_one_open", condition=Q(status__in=["queued", "running"])
            ),
            models.CheckConstraint(
                name="publish_run_has_content", condition=Q(action="archive") | Q(stored__isnull=False)
            ),
            models.CheckConstraint(
                name="publish_run_override_has_reason", condition=Q(overridden_by__isnull=True) | ~Q(override_reason="")
            ),
            models.CheckConstraint(
                name="publish_run_ended",
                condition=Q(status__in=["queued", "running"], ended_at__isnull=True)
                | (~Q(status__in=["queued", "running"]) & Q(ended_at__isnull=False)),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["due_at"], name="publish_run_due", condition=Q(status__in=["queued", "running"])),
        ]

    def __str__(self) -> str:
        return f"{self.get_action_display()}: {self.faq}"

    @property
    def content(self) -> Content:
        assert self.stored is not None  # noqa: S101 - a constraint of the table
        return Content.from_json(self.stored)

    @property
    def is_open(self) -> bool:
        return self.status in self.OPEN

    @property
    def is_scheduled(self) -> bool:
        return self.is_open and self.due_at > timezone.now()

    @property
    def regressions(self) -> list[dict[str, Any]]:
        return [change for change in self.changes if change["kind"] == "regressed"]


class LinkCheck(models.Model):
    """How a link of a published answer answered when it was last tried."""

    class Status(models.TextChoices):
        OK = "ok", _("Works")
        BROKEN = "broken", _("Broken")
        REFUSED = "refused", _("Private address")
        UNSURE = "unsure", _("Could not be checked")

    faq = models.ForeignKey("faqs.FAQ", models.CASCADE, related_name="link_checks")
    address = models.CharField(max_length=2000)
    status = models.CharField(max_length=16, choices=Status)
    code = models.PositiveSmallIntegerField(null=True, help_text=_("The HTTP status."))
    detail = models.CharField(max_length=300, blank=True)
    checked_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar[list[str]] = ["faq", "pk"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["faq", "address"], name="link_check_unique"),
        ]

    def __str__(self) -> str:
        return self.address
