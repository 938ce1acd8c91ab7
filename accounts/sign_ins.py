"""Sign-ins of apps: begun with a password, renewed by rotating refresh tokens, ended by logout or by a replayed token."""

from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import datetime_from_epoch

from .mfa import lacks_required_factor
from .models import SignIn, User
from .signals import sign_in_ended
from .tokens import AccessToken, RefreshToken

log = structlog.get_logger(__name__)


class BadToken(Exception):
    """The token is forged, expired, revoked or used up."""


@dataclass(frozen=True)
class Pair:
    """What a client holds of a sign-in."""

    sign_in: SignIn
    access: str
    refresh: str
    expires_in: int


def begin(*, user: User, user_agent: str, address: str) -> Pair:
    """Sign an app in. The caller has made sure of who it is."""
    sign_in = SignIn(user=user, user_agent=user_agent[:200], address=address[:64])
    return _issue(sign_in, new=True)


def _issue(sign_in: SignIn, *, new: bool = False) -> Pair:
    access, refresh = AccessToken.of(sign_in), RefreshToken.of(sign_in)
    sign_in.current, sign_in.last_used_at = refresh.jti, timezone.now()
    sign_in.expires_at = datetime_from_epoch(refresh["exp"])
    sign_in.save(force_insert=new)
    return Pair(sign_in, str(access), str(refresh), int(access["exp"] - access["iat"]))


def refresh(*, token: str) -> Pair:
    """Exchange a refresh token for the next pair. One that was exchanged before ends its whole family. Raises BadToken."""
    given = _read(token)
    with transaction.atomic():
        sign_in = _locked(given.family)
        if sign_in.current == given.jti:
            return _issue(sign_in)
        _revoke(SignIn.objects.filter(pk=sign_in.pk))
    log.warning("refresh_token_replayed", sign_in=str(sign_in.pk))
    raise BadToken


def _read(token: str) -> RefreshToken:
    try:
        return RefreshToken(token)  # type: ignore[arg-type]
    except TokenError:
        raise BadToken from None


def _locked(family: UUID) -> SignIn:
    # Only the sign-in's row: the person's is not changed.
    rows = SignIn.objects.open().select_for_update(of=("self",)).select_related("user")  # type: ignore[attr-defined]
    return _counting(rows.filter(pk=family).first())


def _counting(found: SignIn | None) -> SignIn:
    """Staff who lack their second factor have signed in when they did not need one: that counts again once they have it."""
    if found is None or lacks_required_factor(found.user):
        raise BadToken
    return found


def of_access_token(token: str) -> SignIn:
    """The open sign-in behind an access token, with its user. Raises BadToken."""
    try:
        family = AccessToken(token).family  # type: ignore[arg-type]
    except TokenError:
        raise BadToken from None
    return _counting(SignIn.objects.open().select_related("user").filter(pk=family).first())  # type: ignore[attr-defined]


def end(*, token: str) -> None:
    """Log out with a refresh token: nothing of its family counts any more. A token that counts for nothing is fine too."""
    try:
        family = _read(token).family
    except BadToken:
        return
    _revoke(SignIn.objects.filter(pk=family))


def revoke(*, user: User, sign_in_id: UUID) -> None:
    """End one of the user's sign-ins. Raises SignIn.DoesNotExist."""
    if not _revoke(SignIn.objects.filter(pk=sign_in_id, user=user)):
        raise SignIn.DoesNotExist


def revoke_all(*, user: User, but: SignIn | None = None) -> int:
    """End all sign-ins of a user, except one."""
    rows = SignIn.objects.filter(user=user)
    return _revoke(rows.exclude(pk=but.pk) if but is not None else rows)


def _revoke(rows: QuerySet[SignIn]) -> int:
    rows = rows.filter(revoked_at__isnull=True)
    people = set(rows.values_list("user_id", flat=True))
    ended = rows.update(revoked_at=timezone.now())
    for user_id in people:
        announce_end(user_id=user_id)
    return ended


def announce_end(*, user_id: UUID) -> None:
    """Tell that a sign-in of this person ended, whatever it was: who relies on one looks again."""
    transaction.on_commit(lambda: sign_in_ended.send_robust(sender=User, user_id=user_id), robust=True)
