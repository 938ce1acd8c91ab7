"""Turning a help page into draft FAQs that name their source."""

from django.db import transaction
from django.utils.translation import gettext as _

from accounts.models import User

from .. import jobs
from ..drafts import create_draft
from ..jobs import JobFailed
from ..models import Category
from .fetch import fetch
from .models import Ingest, Source
from .pieces import Piece, pieces_of

MOST = 500
# Less than a sentence answers nothing.
SHORTEST = 10


@transaction.atomic
def submit(*, user: User, address: str, content: bytes | None, language: str, category: Category) -> Ingest:
    """Have a page read: from its address, or `content` as a file of that name."""
    job = Ingest.objects.create(
        created_by=user,
        address=address[:1000],
        content=content,
        language=language,
        category=category,
        status=Ingest.Status.RUNNING,
    )
    jobs.submit(job)
    return job


def work(job: Ingest) -> None:
    """Read the page and make its drafts, all or none. Raises JobFailed."""
    if job.content is not None:
        found = pieces_of(bytes(job.content), job.address)
    else:
        page = fetch(job.address)
        found = pieces_of(page.content, page.address, page.type, page.address)
    category = job.category
    if category is None:
        raise JobFailed(_("The category of the drafts was deleted meanwhile."))
    left_out = []
    for number, piece in enumerate(found):
        reason = _("The page has more than %d sections.") % MOST if number >= MOST else _reason(job, piece)
        if reason:
            left_out.append({"heading": piece.heading[:300], "reason": reason})
        else:
            _draft(job, category, piece)
    job.left_out, job.content = left_out, None
    job.save(update_fields=["left_out", "content"])
    job.finish(Ingest.Status.DONE)


def _reason(job: Ingest, piece: Piece) -> str:
    """Why a section does not become a draft; "" when it does."""
    if len(piece.heading) > 300:
        return _("Its heading is longer than 300 characters.")
    if len(piece.text) < SHORTEST:
        return _("There is no text below it.")
    if Source.objects.filter(address=job.address, heading=piece.heading).exists():
        return _("It was taken from this page before.")
    return ""


def _draft(job: Ingest, category: Category, piece: Piece) -> None:
    faq = create_draft(category=category, language=job.language, question=piece.heading, answer=piece.text)
    Source.objects.create(faq=faq, ingest=job, address=job.address, heading=piece.heading)
