"""Work of an editor that a worker does: held by a row lock, so that it runs once, and again from its start when the worker dies."""

from collections.abc import Callable
from datetime import timedelta
from typing import ClassVar, TypeVar

import structlog
from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from . import cached
from .signals import job_waiting

log = structlog.get_logger(__name__)
MAX_ATTEMPTS = 3
# A job is picked up at once; one that waits for so long was overlooked, or its worker died.
OVERLOOKED = timedelta(seconds=20)
PROGRESS_SECONDS = 3600


class JobFailed(Exception):
    """The job cannot be done; the text tells the editor why and what would help."""


class Job(models.Model):
    """`checking` and `running` wait for a worker (or have one), `ready` waits for the editor."""

    class Status(models.TextChoices):
        CHECKING = "checking", gettext_lazy("Being checked")
        READY = "ready", gettext_lazy("Ready")
        RUNNING = "running", gettext_lazy("Running")
        DONE = "done", gettext_lazy("Done")
        FAILED = "failed", gettext_lazy("Failed")

    WAITING: ClassVar[list[str]] = [Status.CHECKING, Status.RUNNING]

    status = models.CharField(max_length=16, choices=Status, default=Status.CHECKING, editable=False)
    problem = models.CharField(max_length=500, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    waiting_since = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True

    @property
    def is_waiting(self) -> bool:
        return self.status in self.WAITING

    def finish(self, status: str, problem: str = "") -> None:
        self.status, self.problem, self.finished_at = status, problem[:500], timezone.now()
        self.save(update_fields=["status", "problem", "finished_at"])


J = TypeVar("J", bound=Job)


def submit(job: Job) -> None:
    """Hand a saved job to the workers after commit."""
    transaction.on_commit(lambda: job_waiting.send_robust(sender=type(job), job_id=job.pk), robust=True)


def run(model: type[J], job_id: int, work: Callable[[J], None]) -> None:
    """Do a waiting job's work in one transaction; nothing happens when another worker is at it or it is done."""
    if not _begin(model, job_id):
        return
    try:
        with transaction.atomic():
            if (job := _locked(model, job_id)) is not None:
                work(job)
    except JobFailed as failure:
        _fail(model, job_id, str(failure))
    except (OperationalError, InterfaceError, IntegrityError):
        # The database was away, or somebody else wrote the same: the sweep starts the job again.
        raise
    except Exception:
        log.exception("job_failed", job=model.__name__, job_id=job_id)
        _fail(model, job_id, _("Something went wrong on our side; nothing was changed. Please try again."))


@transaction.atomic
def _begin(model: type[J], job_id: int) -> bool:
    """Count the attempt before it, so that a job which kills its worker ends."""
    job = _locked(model, job_id)
    if job is None:
        return False
    if job.attempts >= MAX_ATTEMPTS:
        job.finish(Job.Status.FAILED, _("The worker stopped every time; nothing was changed. Try a smaller file."))
        return False
    model._default_manager.filter(pk=job.pk).update(attempts=F("attempts") + 1)
    return True


def _locked(model: type[J], job_id: int) -> J | None:
    waiting = model._default_manager.filter(pk=job_id, status__in=Job.WAITING)
    return waiting.select_for_update(skip_locked=True, no_key=True).first()


def _fail(model: type[J], job_id: int, problem: str) -> None:
    for job in model._default_manager.filter(pk=job_id):
        job.finish(Job.Status.FAILED, problem)


def overlooked(model: type[Job]) -> list[int]:
    """Jobs that should have been done by now."""
    before = timezone.now() - OVERLOOKED
    waiting = model._default_manager.filter(status__in=Job.WAITING, waiting_since__lt=before)
    return list(waiting.order_by("pk").values_list("pk", flat=True))


def note_progress(job: Job, done: int) -> None:
    """How far a running job is, seen outside its transaction; nobody waits for it."""
    cached.put(_progress_key(job), done, PROGRESS_SECONDS)


def progress(job: Job) -> int | None:
    done: int | None = cached.get(_progress_key(job))
    return done


def _progress_key(job: Job) -> str:
    return f"progress:{type(job).__name__}:{job.pk}"
