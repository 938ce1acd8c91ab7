"""What an import's page shows."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count

from ..models import FAQ
from .models import Import, ImportRow
from .rows import differing, values_of

Action = ImportRow.Action
SHOWN = 500


@dataclass(frozen=True)
class Summary:
    """How many of the file's rows would be, or were, what."""

    created: int
    updated: int
    unchanged: int
    conflicts: int
    kept: int
    errors: int

    @property
    def imported(self) -> int:
        return self.created + self.updated

    @property
    def total(self) -> int:
        return self.imported + self.unchanged + self.conflicts + self.kept + self.errors


def summary(job: Import) -> Summary:
    counts = dict(job.rows.order_by().values_list("action").annotate(Count("pk")))
    ordered = [Action.CREATE, Action.UPDATE, Action.UNCHANGED, Action.CONFLICT, Action.KEEP, Action.ERROR]
    return Summary(*(counts.get(action, 0) for action in ordered))


def errors(job: Import) -> list[dict[str, Any]]:
    """Everything that is wrong, by row."""
    rows = job.rows.filter(action=Action.ERROR)[:SHOWN]
    return [{"number": row.number, **error} for row in rows for error in row.errors]


@dataclass(frozen=True)
class Conflict:
    """A FAQ that was edited since the file was made: what differs, as (field, now, in the file)."""

    number: int
    faq: FAQ
    differences: list[tuple[str, Any, Any]]
    kept: bool


def conflicts(job: Import) -> list[Conflict]:
    rows = job.rows.filter(action__in=[Action.CONFLICT, Action.KEEP], faq__isnull=False)
    rows = rows.select_related("faq__category").prefetch_related("faq__phrasings")[:SHOWN]
    return [_conflict(row, row.faq) for row in rows if row.faq is not None]


def _conflict(row: ImportRow, faq: FAQ) -> Conflict:
    current = values_of(faq)
    differences = [(name, current[name], row.values[name]) for name in differing(current, row.values)]
    return Conflict(row.number, faq, differences, row.action == Action.KEEP)
