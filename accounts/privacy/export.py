"""A copy of everything about a person, as JSON and as pages to read, in one ZIP."""

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import UUID

import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from ..models import User
from ..signals import export_requested
from .holdings import Holding, holdings
from .models import Export

# A run that says nothing for so long has died.
STALLED = timedelta(minutes=10)


class Part(NamedTuple):
    holding: Holding
    rows: list[dict[str, Any]]


def request_export(*, user: User) -> Export:
    """Ask for a copy; while one is being made, that one."""
    with transaction.atomic():
        # One request of a person at a time looks, and then creates.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        active = Export.objects.filter(user=user, status__in=Export.ACTIVE).first()
        if active is not None:
            return active
        export = Export.objects.create(user=user)
        _announce(export.pk)
    return export


def _announce(export_id: UUID) -> None:
    transaction.on_commit(lambda: export_requested.send_robust(sender=Export, export_id=export_id), robust=True)


def make(export_id: UUID) -> None:
    """Make the copy, unless somebody else does or did."""
    claimed = Export.objects.filter(pk=export_id, status=Export.Status.QUEUED).update(
        status=Export.Status.RUNNING, attempt=F("attempt") + 1, progress=0, updated_at=timezone.now()
    )
    if not claimed:
        return
    export = Export.objects.select_related("user").get(pk=export_id)
    running = Export.objects.filter(pk=export_id, status=Export.Status.RUNNING, attempt=export.attempt)
    parts = list(_collect(export.user, running))
    _finish(running, archive(export.user, parts))


def _collect(user: User, running: QuerySet[Export]) -> Iterator[Part]:
    """Each part, with the progress noted after it."""
    every = holdings()
    for number, holding in enumerate(every, 1):
        yield Part(holding, list(holding.rows(user).values(*holding.fields)))
        running.update(progress=number * 95 // len(every), updated_at=timezone.now())


def _finish(running: QuerySet[Export], content: bytes) -> None:
    """Only the run that still holds the export may end it."""
    with transaction.atomic():
        export = running.select_for_update().first()
        if export is None:
            return
        export.status, export.progress, export.archive = Export.Status.READY, 100, content
        export.expires_at = timezone.now() + timedelta(days=settings.EXPORT_DAYS)
        export.save()


def archive(user: User, parts: list[Part]) -> bytes:
    """The ZIP: `index.html` to read, and `data/` with one JSON file a part."""
    buffer = io.BytesIO()
    context = {"parts": [part for part in parts if part.rows], "user": user, "now": timezone.now()}
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("index.html", render_to_string("privacy/export.html", context))
        file.writestr("style.css", render_to_string("privacy/export.css"))
        for part in parts:
            data = orjson.dumps(part.rows, default=str, option=orjson.OPT_INDENT_2)
            file.writestr(f"data/{part.holding.name}.json", data)
    return buffer.getvalue()


def stalled() -> list[UUID]:
    """Put runs that died back into the queue, or give them up after the last attempt; gives all that wait for a worker."""
    silent = Export.objects.filter(updated_at__lt=timezone.now() - STALLED)
    dead = silent.filter(status=Export.Status.RUNNING)
    dead.filter(attempt__gte=Export.MOST_ATTEMPTS).update(status=Export.Status.FAILED)
    dead.update(status=Export.Status.QUEUED)
    return list(silent.filter(status=Export.Status.QUEUED).values_list("pk", flat=True))


def expire() -> int:
    """Delete copies that are past their time, and failed ones of that age."""
    now = timezone.now()
    old = Q(expires_at__lt=now) | Q(
        status=Export.Status.FAILED, updated_at__lt=now - timedelta(days=settings.EXPORT_DAYS)
    )
    return Export.objects.filter(old).delete()[0]
