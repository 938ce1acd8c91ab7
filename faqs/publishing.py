"""The publish gate's side of the database: runs are requested, taken by one worker at a time, and go live or end.

A worker holds a run by the lock on its row, inside the transaction that makes the change: when it dies, PostgreSQL takes the
change back and lets go of the run, and the sweep finds it again.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User

from . import history, services, signals
from .content import Content
from .models import FAQ, Category, Phrasing, PublishRun, StatusEvent
from .workflow import NotAllowed, may

# One change of the index at a time, so that what was measured is what goes live.
_GATE = 0x9A7E
MAX_ATTEMPTS = 5
Run = PublishRun
Status = PublishRun.Status


class Stale(Exception):
    """What the run would publish is no longer what reviewers see; the text says why."""


def locked(faq_id: int) -> FAQ:
    """The FAQ, held until the transaction ends. Raises FAQ.DoesNotExist."""
    return FAQ.objects.select_for_update(no_key=True).get(pk=faq_id)


def record(faq: FAQ, by: User | None, from_status: str, to_status: str, comment: str = "") -> None:
    StatusEvent.objects.create(faq=faq, by=by, from_status=from_status, to_status=to_status, comment=comment)


def set_phrasings(faq: FAQ, texts: Sequence[str]) -> None:
    faq.phrasings.exclude(text__in=texts).delete()
    Phrasing.objects.bulk_create([Phrasing(faq=faq, text=text) for text in texts], ignore_conflicts=True)


def place(*, faqs: Iterable[FAQ], status: str, by: User | None, comment: str) -> None:
    """Put FAQs where an import says, past the gate. The caller holds them."""
    moved = [faq for faq in faqs if faq.status != status]
    StatusEvent.objects.bulk_create(
        [StatusEvent(faq=faq, by=by, from_status=faq.status, to_status=status, comment=comment) for faq in moved]
    )
    for faq in moved:
        faq.status = status
        history.save(faq, by=by, keep=False)
        services.announce(faq.pk)


def request(
    *,
    faq: FAQ,
    action: str,
    by: User,
    comment: str = "",
    due_at: datetime | None = None,
    rollback_to: Content | None = None,
) -> PublishRun:
    """Queue a change of what visitors find; it is made by `chatbot.gate`. The caller holds the FAQ."""
    content = None if action == Run.Action.ARCHIVE else rollback_to or faq.working
    run = PublishRun.objects.create(
        faq=faq,
        action=action,
        stored=content.to_json() if content else None,
        is_rollback=rollback_to is not None,
        due_at=due_at or timezone.now(),
        requested_by=by,
        comment=comment,
    )
    announce(run)
    return run


def announce(run: PublishRun) -> None:
    if not run.is_scheduled:
        transaction.on_commit(lambda: signals.publish_requested.send_robust(sender=Run, run_id=run.pk), robust=True)


def due() -> list[int]:
    """The runs that wait for a worker or lost theirs, the oldest first."""
    return list(PublishRun.objects.due().order_by("due_at", "pk").values_list("pk", flat=True)[:100])  # type: ignore[attr-defined]


@transaction.atomic
def begin(run_id: int) -> bool:
    """Note that a worker starts on a run; False when it is not to be done now. A run that killed its workers is given up."""
    run = take(run_id)
    if run is None:
        return False
    if run.attempt >= MAX_ATTEMPTS:
        end(
            run,
            Status.FAILED,
            error=run.error or _("The worker was lost each time. Ask an administrator to look at the logs."),
        )
        return False
    PublishRun.objects.filter(pk=run_id).update(status=Status.RUNNING, attempt=F("attempt") + 1)
    return True


def take(run_id: int) -> PublishRun | None:
    """The run and the gate, held until the transaction ends; None when another worker has either, or it is not due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_GATE])
        if not cursor.fetchone()[0]:
            return None
    due = PublishRun.objects.due().select_for_update(skip_locked=True, no_key=True)  # type: ignore[attr-defined]
    run: PublishRun | None = due.filter(pk=run_id).first()
    return run


def go_live(run: PublishRun) -> None:
    """Make the run's change, as visitors will find it when the transaction commits. Raises Stale."""
    faq = locked(run.faq_id)
    before = faq.stage
    if run.is_rollback and (not faq.is_live or faq.updated_at > run.created_at):
        raise Stale(_("The FAQ was published anew or unpublished after its earlier version was asked for."))
    history.keep_version(faq)
    if run.action == Run.Action.ARCHIVE:
        _archive(faq)
    else:
        _put(faq, run)
    history.save(faq, by=run.requested_by, comment=run.comment)
    comment = run.comment
    if run.override_reason:
        # Not by whom: the run says so, and forgets it when they are erased.
        comment += "\n" + _("Golden questions overridden: %(reason)s") % {"reason": run.override_reason}
    record(faq, run.requested_by, faq.status if run.is_rollback else before, faq.status, comment.strip())
    services.announce(faq.pk)


def _archive(faq: FAQ) -> None:
    if faq.stage != FAQ.Status.PUBLISHED:
        raise Stale(_("It is not published, or a next version is being written."))
    faq.status = FAQ.Status.ARCHIVED


def _put(faq: FAQ, run: PublishRun) -> None:
    content = run.content
    if run.action == Run.Action.PUBLISH and not run.is_rollback:
        if faq.stage != FAQ.Status.REVIEW or faq.working != content:
            raise Stale(_("The text was changed or taken back after the publication was asked for."))
        if faq.next_version is not None:
            faq.next_version.delete()
    category_id = faq.category_id
    content.put_on(faq)
    if not Category.objects.filter(pk=content.category_id).exists():
        faq.category_id = category_id
    set_phrasings(faq, content.phrasings)
    faq.status = FAQ.Status.PUBLISHED


def end(run: PublishRun, status: str, *, changes: Sequence[Any] = (), questions: int = 0, error: str = "") -> None:
    """Write how a run ended; the caller holds it."""
    run.status, run.changes, run.questions, run.error = status, list(changes), questions, error
    run.ended_at = timezone.now()
    run.save(update_fields=["status", "changes", "questions", "error", "ended_at"])


def note_error(run_id: int, error: str) -> None:
    """Keep why an attempt failed; the sweep tries again."""
    PublishRun.objects.filter(pk=run_id, status=Status.RUNNING).update(error=error)


@transaction.atomic
def override(*, run_id: int, by: User, reason: str) -> PublishRun:
    """Publish against the golden questions, for a reason that is kept. Raises NotAllowed, PublishRun.DoesNotExist."""
    run = PublishRun.objects.select_for_update(no_key=True).get(pk=run_id)
    if not may(by, "override_gate"):
        raise NotAllowed(_("Only administrators publish against the golden questions."))
    if not reason.strip():
        raise NotAllowed(_("Say why the golden questions should not count this time."))
    busy = PublishRun.objects.filter(faq=run.faq_id, action=run.action, status__in=Run.OPEN).exists()
    if run.status != Status.BLOCKED or busy:
        raise NotAllowed(_("Only a blocked publication can be overridden."))
    run.overridden_by, run.override_reason = by, reason.strip()
    run.status, run.ended_at, run.attempt = Status.QUEUED, None, 0
    run.save()
    announce(run)
    return run


@transaction.atomic
def cancel(*, run_id: int, by: User) -> PublishRun:
    """Call a run off before a worker starts on it. Raises NotAllowed."""
    if not may(by, "publish_faq"):
        raise NotAllowed(_("Only reviewers call publications off."))
    # One that a worker holds is not waited for.
    run = PublishRun.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=run_id).first()
    if run is None or run.status != Status.QUEUED:
        raise NotAllowed(_("It is too late to call this off."))
    end(run, Status.CANCELLED)
    return run
