"""The log of staff access to personal data: append-only, each entry sealed over the one before it."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from .. import vault
from ..models import User
from .models import AuditEntry

START = "0" * 64
# The advisory lock under which entries take their numbers.
LOCK = 7_230_415


class Verdict(NamedTuple):
    entries: int
    head: str
    problem: str


def _seal(entry: AuditEntry) -> str:
    """HMAC-SHA256 under a key that the database does not know."""
    parts = [entry.number, entry.at.isoformat(), entry.actor, entry.subject, entry.action, entry.kind, entry.details]
    text = orjson.dumps([*parts, entry.previous], option=orjson.OPT_SORT_KEYS)
    return hmac.new(vault.purpose_key("audit", entry.key_id), text, hashlib.sha256).hexdigest()


@transaction.atomic
def record(
    *,
    actor: User,
    action: AuditEntry.Action,
    kind: str,
    subject: UUID | None = None,
    details: dict[str, str | int | list[str]] | None = None,
) -> AuditEntry:
    """Write one entry. `details` must hold nothing about the person: names of fields, counts, ids of their things."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    last = AuditEntry.objects.order_by("-number").values_list("number", "hash").first() or (0, START)
    entry = AuditEntry(
        number=last[0] + 1,
        at=timezone.now(),
        actor=vault.pseudonym(actor.pk),
        subject=vault.pseudonym(subject) if subject else "",
        action=action,
        kind=kind,
        details=details or {},
        key_id=vault.key_id(),
        previous=last[1],
    )
    entry.hash = _seal(entry)
    entry.save(force_insert=True)
    return entry


def verify(entries: Iterable[AuditEntry] | None = None) -> Verdict:
    """Check every entry and its place in the chain, from the first; the problem names the first that is wrong."""
    number, head = 0, START
    for entry in entries if entries is not None else AuditEntry.objects.order_by("number").iterator():
        if problem := _problem(entry, number, head):
            return Verdict(number, head, problem)
        number, head = entry.number, entry.hash
    return Verdict(number, head, "")


def _problem(entry: AuditEntry, number: int, head: str) -> str:
    if entry.number != number + 1:
        return f"entry {number + 1} is missing"
    if entry.previous != head:
        return f"entry {entry.number} does not follow the one before it"
    try:
        sealed = _seal(entry)
    except vault.CannotDecrypt as error:
        return f"entry {entry.number} cannot be checked: {error}"
    return "" if hmac.compare_digest(sealed, entry.hash) else f"entry {entry.number} was changed"
