"""Which steps a FAQ may take, and who may take them: draft -> review -> published -> archived."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts.models import User

from .models import FAQ, PublishRun

Status = FAQ.Status


class NotAllowed(Exception):
    """The step or the change is not possible now, or not for this person; the text says why."""


@dataclass(frozen=True)
class Step:
    """`stages` is where what editors work on must stand; `live` whether visitors must (not) read a version; None: either."""

    name: str
    label: Any
    help: Any
    permission: str
    stages: Sequence[str]
    live: bool | None = None

    def fits(self, faq: FAQ) -> bool:
        return faq.stage in self.stages and self.live in (None, faq.is_live)


SUBMIT = Step("submit", _("Submit for review"), _("A reviewer looks at it next."), "change_faq", [Status.DRAFT])
PUBLISH = Step(
    "publish", _("Publish"), _("Visitors find it once the golden questions pass."), "publish_faq", [Status.REVIEW]
)
RETURN = Step("return", _("Back to draft"), _("It can be changed again."), "change_faq", [Status.REVIEW])
CHECK = Step(
    "check",
    _("Try the golden questions"),
    _("Shows which answers would change; nothing is published."),
    "change_faq",
    [Status.DRAFT, Status.REVIEW],
)
DISCARD = Step(
    "discard",
    _("Discard this next version"),
    _("The published version stays as it is."),
    "change_faq",
    [Status.DRAFT, Status.REVIEW],
    live=True,
)
UNPUBLISH = Step(
    "unpublish",
    _("Unpublish"),
    _("Visitors no longer find it; it goes to the archive."),
    "publish_faq",
    [Status.PUBLISHED],
)
ARCHIVE = Step(
    "archive", _("Archive"), _("Puts it away unpublished."), "change_faq", [Status.DRAFT, Status.REVIEW], live=False
)
REOPEN = Step("reopen", _("Back to draft"), _("Work on it again."), "change_faq", [Status.ARCHIVED])
STEPS = {step.name: step for step in (SUBMIT, PUBLISH, RETURN, CHECK, DISCARD, UNPUBLISH, ARCHIVE, REOPEN)}
# What goes through the publish gate, and as which action.
GATED = {
    PUBLISH.name: PublishRun.Action.PUBLISH,
    UNPUBLISH.name: PublishRun.Action.ARCHIVE,
    CHECK.name: PublishRun.Action.CHECK,
}


def may(user: User, permission: str) -> bool:
    return user.has_perm(f"faqs.{permission}")


def open_runs(faq: FAQ) -> list[PublishRun]:
    return list(PublishRun.objects.filter(faq=faq, status__in=PublishRun.OPEN).order_by("due_at"))


def allowed(faq: FAQ, user: User, runs: Sequence[PublishRun]) -> list[Step]:
    """The steps that this person may take now; `runs` are the FAQ's open ones."""
    if any(run.action == PublishRun.Action.PUBLISH for run in runs):
        return []
    running = {run.action for run in runs}
    steps = [step for step in STEPS.values() if step.fits(faq) and may(user, step.permission)]
    return [step for step in steps if GATED.get(step.name) not in running]


def offered(faq: FAQ, user: User, runs: Sequence[PublishRun]) -> list[Step]:
    """The steps to show beside the text: also those that a published FAQ can take once what is written is saved as its next version."""
    steps = allowed(faq, user, runs)
    if faq.stage != Status.PUBLISHED or locked_because(faq, user, runs):
        return steps
    return [SUBMIT, CHECK, *steps]


def locked_because(faq: FAQ, user: User, runs: Sequence[PublishRun]) -> str:
    """Why this person cannot change the text now; empty when they can."""
    if not may(user, "change_faq"):
        return str(_("Your role can read FAQs, not change them."))
    if faq.status == Status.ARCHIVED:
        return str(_("It is archived. Take it back to draft to change it."))
    if any(run.action == PublishRun.Action.PUBLISH for run in runs):
        return str(_("It is being published. Wait for it, or cancel the publication, to change it."))
    if faq.stage == Status.REVIEW and not may(user, "publish_faq"):
        return str(_("It is in review: only reviewers can change it. Take it back to draft to change it yourself."))
    return ""
