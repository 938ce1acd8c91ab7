"""Writes of curation: what editors save, and the steps from draft to published to archived. Each locks the FAQ's row."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.models import User

from . import history, links, publishing, workflow
from .content import Content
from .models import FAQ, Draft, LinkCheck, PublishRun
from .publishing import record, set_phrasings
from .workflow import NotAllowed

Status = FAQ.Status


class Conflict(Exception):
    """Somebody saved another text since the one that the writer started from; `faq` holds it."""

    def __init__(self, faq: FAQ) -> None:
        super().__init__(_("Somebody else saved this FAQ while you were writing."))
        self.faq = faq


@transaction.atomic
def create(*, faq: FAQ, content: Content, by: User) -> FAQ:
    """Store a new FAQ as a draft."""
    faq.status = Status.DRAFT
    content.put_on(faq)
    history.save(faq, by=by, keep=False)
    _write(faq, content, by)
    record(faq, by, "", Status.DRAFT)
    return faq


@transaction.atomic
def save(
    *, faq_id: int, content: Content, base: str, by: User, autosave: bool = False, slug: str = "", language: str = ""
) -> FAQ:
    """Store what an editor wrote, starting from the content with the digest `base`.

    Of a published FAQ it becomes the next version. Raises Conflict, NotAllowed and FAQ.DoesNotExist, with nothing written.
    """
    faq = publishing.locked(faq_id)
    address = {"slug": slug or faq.slug, "language": language or faq.language}
    if content == faq.working and (faq.is_live or address == {name: getattr(faq, name) for name in address}):
        return faq
    if faq.working.digest != base:
        raise Conflict(faq)
    if reason := workflow.locked_because(faq, by, workflow.open_runs(faq)):
        raise NotAllowed(reason)
    if faq.is_live:
        _write_next(faq, content, by)
    else:
        vars(faq).update(address)
        _write(faq, content, by, keep=not autosave)
    return faq


def _write(faq: FAQ, content: Content, by: User, *, keep: bool = True) -> None:
    """On the FAQ's own row; `keep` adds to its history."""
    content.put_on(faq)
    set_phrasings(faq, content.phrasings)
    history.save(faq, by=by, keep=keep)


def _write_next(faq: FAQ, content: Content, by: User) -> None:
    if faq.next_version is None:
        record(faq, by, Status.PUBLISHED, Status.DRAFT)
        faq.draft = Draft(faq=faq)
    faq.draft.stored, faq.draft.updated_by = content.to_json(), by
    faq.draft.save()


@transaction.atomic
def take_step(
    *, faq_id: int, step: str, by: User, comment: str = "", due_at: datetime | None = None
) -> PublishRun | None:
    """Take an allowed step; what visitors would notice becomes a run of the publish gate. Raises NotAllowed, FAQ.DoesNotExist."""
    faq = publishing.locked(faq_id)
    steps = {one.name: one for one in workflow.allowed(faq, by, workflow.open_runs(faq))}
    if faq.stage == Status.PUBLISHED and step in (workflow.SUBMIT.name, workflow.CHECK.name):
        raise NotAllowed(_("Nothing differs from the published version: there is nothing to submit or try."))
    if step not in steps:
        raise NotAllowed(
            _("This step is not possible for you now: somebody else may have taken one. Look at the page again.")
        )
    if action := workflow.GATED.get(step):
        return publishing.request(faq=faq, action=action, by=by, comment=comment, due_at=due_at or timezone.now())
    before = faq.stage
    match step:
        case "submit":
            _move(faq, Status.REVIEW)
        case "return" | "reopen":
            _move(faq, Status.DRAFT)
        case "archive":
            _move(faq, Status.ARCHIVED)
        case "discard":
            faq.draft.delete()
            faq = FAQ.objects.get(pk=faq.pk)
    record(faq, by, before, faq.stage, comment)
    return None


def _move(faq: FAQ, stage: str) -> None:
    if faq.next_version is not None:
        faq.next_version.stage = stage
        faq.next_version.save(update_fields=["stage"])
    else:
        faq.status = stage
        history.save(faq, by=None, keep=False)


def note_in_step(*, faq_id: int) -> None:
    """Somebody saw that a language version says what its original says now."""
    FAQ.objects.filter(pk=faq_id).update(original_checked_at=timezone.now())


def check_links(*, faq_id: int) -> None:
    """Try the links of a published answer and keep how they answered; of another FAQ nothing is kept. Raises FAQ.DoesNotExist."""
    faq = FAQ.objects.get(pk=faq_id)
    found = links.check(links.links_of(faq.answer)) if faq.is_live else {}
    with transaction.atomic():
        locked = publishing.locked(faq_id)
        if locked.answer != faq.answer or locked.status != faq.status:
            return
        now = timezone.now()
        LinkCheck.objects.filter(faq=faq).delete()
        LinkCheck.objects.bulk_create(
            LinkCheck(faq=faq, address=address, checked_at=now, **vars(one)) for address, one in found.items()
        )
        FAQ.objects.filter(pk=faq_id).update(links_checked_at=now)


@transaction.atomic
def roll_back(*, faq_id: int, history_id: int, by: User) -> PublishRun:
    """Ask for an earlier version to be published again. Raises NotAllowed, FAQ.DoesNotExist."""
    faq = publishing.locked(faq_id)
    version = faq.history.filter(status=Status.PUBLISHED, history_id=history_id).first()
    if version is None:
        raise NotAllowed(_("There is no such version of this FAQ."))
    if not workflow.may(by, "publish_faq"):
        raise NotAllowed(_("Only reviewers bring earlier versions back."))
    if not faq.is_live or any(run.action == PublishRun.Action.PUBLISH for run in workflow.open_runs(faq)):
        raise NotAllowed(_("Only a published FAQ that is not being changed can go back to an earlier version."))
    comment = _("Back to the version of %(date)s.") % {"date": f"{version.history_date:%Y-%m-%d %H:%M}"}
    return publishing.request(
        faq=faq, action=PublishRun.Action.PUBLISH, by=by, comment=comment, rollback_to=version.content
    )
