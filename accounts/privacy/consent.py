"""The consent ledger: every decision is a row; the latest one of each purpose holds."""

from typing import NamedTuple

from django.conf import settings
from django.db import transaction

from ..models import User
from .models import Consent


class Standing(NamedTuple):
    """What holds for one purpose. `current` is False when the text has changed since the decision."""

    purpose: Consent.Purpose
    granted: bool
    decision: Consent | None
    version: str

    @property
    def current(self) -> bool:
        return self.decision is not None and self.decision.version == self.version


def version_of(purpose: str) -> str:
    return str(settings.CONSENT_VERSIONS[purpose])


def standings(user: User) -> list[Standing]:
    latest = {one.purpose: one for one in user.consents.order_by("purpose", "-pk").distinct("purpose")}
    return [_standing(purpose, latest.get(purpose)) for purpose in Consent.Purpose]


def _standing(purpose: Consent.Purpose, decision: Consent | None) -> Standing:
    version = version_of(purpose)
    granted = decision is not None and decision.granted and decision.version == version
    return Standing(purpose, granted, decision, version)


@transaction.atomic
def decide(*, user: User, decisions: dict[str, bool], source: Consent.Source, address: str = "") -> list[Consent]:
    """Write down what changed; a decision that already holds for today's text is not written twice."""
    # A lock on the person: decisions that arrive together are written one after the other.
    User.objects.select_for_update().get(pk=user.pk)
    held = {one.purpose: one for one in standings(user)}
    changed = [
        Consent(
            user=user, purpose=purpose, version=version_of(purpose), granted=granted, source=source, address=address
        )
        for purpose, granted in decisions.items()
        if not (held[Consent.Purpose(purpose)].current and held[Consent.Purpose(purpose)].granted == granted)
    ]
    for one in changed:
        one.save()
        setattr(user, Consent.FLAGS[one.purpose], one.granted)
    user.save(update_fields=[*Consent.FLAGS.values(), "updated_at"])
    return changed
