"""Forgetting a person: after a grace period, out of every table and store, with a signed certificate of it."""

from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import override

from .. import vault
from ..models import User
from . import certificate
from .holdings import Store, holdings, stores
from .models import Erasure

log = structlog.get_logger(__name__)

PENDING = Q(completed_at__isnull=True, cancelled_at__isnull=True)


def pending(user: User) -> Erasure | None:
    return Erasure.objects.filter(PENDING, user=user).first()


def request_erasure(*, user: User) -> Erasure:
    """Begin the grace period; a second wish changes nothing."""
    with transaction.atomic():
        # One request of a person at a time looks, and then creates.
        User.objects.select_for_update(no_key=True).get(pk=user.pk)
        return pending(user) or Erasure.objects.create(user=user, due_at=Erasure.due_date())


def cancel_erasure(*, user: User) -> bool:
    """Take the wish back; False when there was none."""
    return bool(Erasure.objects.filter(PENDING, user=user).update(cancelled_at=timezone.now()))


def due() -> QuerySet[Erasure]:
    return Erasure.objects.filter(PENDING, due_at__lte=timezone.now()).order_by("due_at")


def carry_out(erasure_id: UUID) -> Erasure | None:
    """Erase a person whose time has come, or nothing at all: what cannot be erased everywhere is tried again later."""
    with transaction.atomic():
        erasure = due().select_for_update(skip_locked=True).filter(pk=erasure_id).first()
        if erasure is None or erasure.user_id is None:
            return None
        person = User.objects.select_for_update().get(pk=erasure.user_id)
        found = [(store, store.find(person)) for store in stores()]
        _certify(erasure, person, rows=_erase_rows(person), elsewhere=_erase_stores(found))
    # Once more: a worker may have written until the rows were gone.
    _erase_stores(found)
    _send_certificate(erasure, person)
    log.info("person_erased", erasure_id=str(erasure.pk))
    return erasure


def _erase_rows(person: User) -> dict[str, int]:
    return {holding.name: holding.remove(person) for holding in holdings()}


def _erase_stores(found: list[tuple[Store, list[str]]]) -> dict[str, int]:
    return {store.name: store.erase(names) for store, names in found}


def _certify(erasure: Erasure, person: User, *, rows: dict[str, int], elsewhere: dict[str, int]) -> None:
    erasure.user = None
    erasure.completed_at = timezone.now()
    erasure.certificate = {
        "id": str(erasure.pk),
        "issuer": settings.SITE_NAME,
        "subject": vault.pseudonym(person.pk),
        "requested_at": erasure.requested_at.isoformat(),
        "completed_at": erasure.completed_at.isoformat(),
        "rows": {name: count for name, count in rows.items() if count},
        "elsewhere": elsewhere,
    } | certificate.signer()
    erasure.signature = certificate.sign(erasure.certificate)
    erasure.save()


def _send_certificate(erasure: Erasure, person: User) -> None:
    """To the address that we are about to forget; the erasure stands whether or not the message arrives."""
    if not person.email:
        return
    context: dict[str, Any] = {"site_name": settings.SITE_NAME, "erasure": erasure}
    with override(person.language):
        subject = " ".join(render_to_string("privacy/email/erased_subject.txt", context).split())
        body = render_to_string("privacy/email/erased_message.txt", context)
    message = EmailMessage(subject, body, to=[person.email])
    message.attach("certificate.json", certificate.file_of(erasure), "application/json")
    try:
        message.send()
    except OSError as error:
        log.warning("certificate_not_sent", erasure_id=str(erasure.pk), error=type(error).__name__)
