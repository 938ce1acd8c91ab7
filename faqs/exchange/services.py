"""Importing FAQs in two steps: a check that shows what every row would do, then the import, all of it in one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User

from .. import history, jobs, publishing
from ..jobs import JobFailed
from ..models import FAQ, Category, Phrasing
from ..services import announce, announced_together
from . import files, rows
from .models import Import, ImportedFAQ, ImportRow
from .plans import Plan, Shelf
from .rows import COLUMNS, VERSION, Values, fingerprint

Action = ImportRow.Action
Status = Import.Status
STEP = 200
KEPT = timedelta(days=90)
SIMPLE = [name for name in COLUMNS if name not in ("category", "phrasings", "status")]


def may_publish(user: User) -> bool:
    return user.has_perm("faqs.publish_faq")


@transaction.atomic
def upload(*, user: User, name: str, content: bytes, create_categories: bool) -> Import:
    """Take a file (its format is its ending) and have it checked."""
    job = Import.objects.create(
        created_by=user,
        name=name[-200:],
        format=name.rpartition(".")[2].lower(),
        content=content,
        create_categories=create_categories,
        may_publish=may_publish(user),
    )
    jobs.submit(job)
    return job


def work(job: Import) -> None:
    """Do what a waiting import waits for. Raises JobFailed."""
    if job.status == Status.CHECKING:
        _check(job)
    else:
        _apply(job)


def _check(job: Import) -> None:
    """Read and judge every row; nothing else is written."""
    job.rows.all().delete()
    found, unknown = _read(job)
    if not found:
        raise JobFailed(_("The file holds no rows. Below the columns' names there is one row for each FAQ."))
    shelf = _shelf(job, [row.values for row in found if not row.errors], lock=False)
    _judge(shelf, found)
    ImportRow.objects.bulk_create(found, batch_size=1000)
    job.total, job.status, job.attempts = len(found), Status.READY, 0
    job.notice = _("Not used: %s.") % ", ".join(sorted(unknown))[:480] if unknown else ""
    # The rows hold what it says.
    job.content = b""
    job.save(update_fields=["total", "status", "attempts", "notice", "content"])


def _read(job: Import) -> tuple[list[ImportRow], set[str]]:
    """The file's rows, and the columns that mean nothing here."""
    found, unknown = [], set[str]()
    for number, raw in files.read(bytes(job.content), job.format):
        values, errors = rows.read(raw)
        unknown |= {name for name in raw if name not in (*COLUMNS, VERSION, "")}
        version = str(raw.get(VERSION) or "")[:64]
        action = Action.ERROR if errors else Action.UNCHANGED
        found.append(ImportRow(job=job, number=number, action=action, values=values, errors=errors, version=version))
    return found, unknown


def _shelf(job: Import, given: Sequence[Values], *, lock: bool) -> Shelf:
    return Shelf(given, create_categories=job.create_categories, may_publish=job.may_publish, lock=lock)


def _judge(shelf: Shelf, found: Iterable[ImportRow]) -> None:
    first: dict[tuple[str, str], int] = {}
    for row in found:
        if row.errors:
            continue
        plan = shelf.plan(row.values, row.version)
        key = (shelf.find(row.values)[0], row.values.get("language", rows.DEFAULTS["language"]))
        if first.setdefault(key, row.number) != row.number:
            reason = _("This is the same FAQ (slug and language) as row %d.") % first[key]
            plan = Plan(Action.ERROR, errors=[{"field": "slug", "reason": reason}])
        row.action, row.faq, row.errors, row.seen = plan.action, plan.faq, plan.errors, plan.seen


@transaction.atomic
def confirm(*, job: Import, user: User, overwrite: Iterable[int]) -> bool:
    """Have a checked import done, with the editor's choice of edited FAQs (by row number) to overwrite; False when it was too late."""
    now = timezone.now()
    ready = Import.objects.filter(pk=job.pk, status__in=[Status.READY, Status.DONE])
    publishing = may_publish(user) and job.may_publish
    if not ready.update(status=Status.RUNNING, waiting_since=now, attempts=0, may_publish=publishing):
        return False
    conflicts = job.rows.filter(action__in=[Action.CONFLICT, Action.KEEP])
    conflicts.update(action=Action.CONFLICT, overwrite=False)
    conflicts.filter(number__in=list(overwrite)).update(overwrite=True)
    jobs.submit(job)
    return True


def _apply(job: Import) -> None:
    """Import every row that can be, against the knowledge base as it is now: what was edited since the check is not overwritten."""
    pending = list(job.rows.exclude(action=Action.ERROR))
    with announced_together():
        for start in range(0, len(pending), STEP):
            part = pending[start : start + STEP]
            _apply_part(job, part)
            jobs.note_progress(job, start + len(part))
    job.finish(Status.DONE)


def _apply_part(job: Import, part: Sequence[ImportRow]) -> None:
    """Only what is going to change is locked, and then judged again: readers of the rest do not wait for the import."""
    free = _shelf(job, [row.values for row in part], lock=False)
    plans = [(row, free.plan(row.values, row.version)) for row in part]
    same = [(row, plan) for row, plan in plans if plan.action == Action.UNCHANGED]
    rest = [row for row, plan in plans if plan.action != Action.UNCHANGED]
    shelf = _shelf(job, [row.values for row in rest], lock=True)
    plans = [*same, *((row, _decided(row, shelf.plan(row.values, row.version))) for row in rest)]
    _write(job, shelf, plans)
    _note_outcomes(plans)
    _remember([plan for _row, plan in plans if plan.action in (Action.CREATE, Action.UPDATE, Action.UNCHANGED)])


def _note_outcomes(plans: Sequence[tuple[ImportRow, Plan]]) -> None:
    """Most rows do what the check said, and only get their FAQ."""
    other, linked = list[ImportRow](), list[ImportRow]()
    for row, plan in plans:
        outcome = (_outcome(row, plan), plan.errors, plan.seen)
        if outcome != (row.action, row.errors, row.seen):
            other.append(row)
        elif (plan.faq and plan.faq.pk) != row.faq_id:
            linked.append(row)
        row.faq = plan.faq
        row.action, row.errors, row.seen = outcome
    ImportRow.objects.bulk_update(other, ["action", "faq", "errors", "seen"])
    ImportRow.objects.bulk_update(linked, ["faq"])


def _write(job: Import, shelf: Shelf, plans: Iterable[tuple[ImportRow, Plan]]) -> None:
    changed = [(row, plan) for row, plan in plans if plan.action in (Action.CREATE, Action.UPDATE)]
    _create_categories(shelf, [plan.values for _row, plan in changed])
    created = [(row, plan) for row, plan in changed if plan.action == Action.CREATE]
    _create(shelf, created)
    for _row, plan in changed:
        if plan.action == Action.UPDATE:
            _update(shelf, plan, job.created_by)
    _set_statuses(job, [plan for _row, plan in changed])


def _decided(row: ImportRow, plan: Plan) -> Plan:
    """The editor's choice about an edited FAQ holds for the content they were shown."""
    if plan.action == Action.CONFLICT and row.action == Action.CONFLICT and row.seen == plan.seen:
        plan.action = Action.UPDATE if row.overwrite else Action.KEEP
    return plan


def _outcome(row: ImportRow, plan: Plan) -> str:
    """What was imported by this file stays counted when the import is run again for the rest."""
    again = plan.action == Action.UNCHANGED and row.job.finished_at is not None
    return row.action if again and row.action in (Action.CREATE, Action.UPDATE) else plan.action


def _create_categories(shelf: Shelf, given: Iterable[Values]) -> None:
    for slug in {values["category"] for values in given} - set(shelf.categories):
        name = shelf.new_categories[slug]
        shelf.categories[slug], _created = Category.objects.get_or_create(slug=slug, defaults={"name": name})


def _create(shelf: Shelf, created: Sequence[tuple[ImportRow, Plan]]) -> None:
    """New FAQs begin as drafts; their statuses are set afterwards."""
    for _row, plan in created:
        content = {name: plan.values[name] for name in SIMPLE}
        plan.faq = FAQ(**content, category=shelf.categories[plan.values["category"]])
    FAQ.objects.bulk_create(plan.faq for _row, plan in created if plan.faq is not None)
    texts = ((plan.faq, text) for _row, plan in created for text in plan.values["phrasings"])
    Phrasing.objects.bulk_create(Phrasing(faq=faq, text=text) for faq, text in texts)


def _update(shelf: Shelf, plan: Plan, by: User | None) -> None:
    assert plan.faq is not None  # noqa: S101
    history.keep_version(plan.faq)
    for name in SIMPLE:
        setattr(plan.faq, name, plan.values[name])
    plan.faq.category = shelf.categories[plan.values["category"]]
    history.save(plan.faq, by=by, keep=False)
    publishing.set_phrasings(plan.faq, plan.values["phrasings"])
    announce(plan.faq.pk)


def _set_statuses(job: Import, plans: Iterable[Plan]) -> None:
    by_status = defaultdict(list)
    for plan in plans:
        by_status[plan.values["status"]].append(plan.faq)
    for status, faqs in by_status.items():
        placed = [faq for faq in faqs if faq is not None]
        publishing.place(faqs=placed, status=status, by=job.created_by, comment=_("Imported from %s.") % job.name)


def _remember(plans: Sequence[Plan]) -> None:
    ImportedFAQ.objects.bulk_create(
        [ImportedFAQ(faq=plan.faq, fingerprint=fingerprint(plan.values)) for plan in plans],
        update_conflicts=True,
        unique_fields=["faq"],
        update_fields=["fingerprint"],
    )


def forget_old() -> None:
    """Imports are kept for a while, to see what happened."""
    Import.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def export(faqs: Iterable[FAQ], format: str) -> bytes:
    """The FAQs as a file; reading it in again changes nothing. Raises files.Unwritable."""
    return files.write(_exported(faqs), format)


def _exported(faqs: Iterable[FAQ]) -> Iterator[Values]:
    for faq in faqs:
        values = rows.values_of(faq)
        yield values | {VERSION: fingerprint(values)}


def acceptable(name: str, size: int) -> str:
    """Why a file cannot be uploaded; "" when it can."""
    if name.rpartition(".")[2].lower() not in Import.Format.values:
        return _("Upload a .csv, .xlsx or .json file.")
    if size > settings.IMPORT_MAX_BYTES:
        limit = settings.IMPORT_MAX_BYTES // (1024 * 1024)
        return str(_("The file is larger than %d MB. Split it into several files.") % limit)
    return ""
