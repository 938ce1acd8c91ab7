"""API keys: 256 random bits, of which a digest is kept. Nobody can guess one, so a quick digest is enough."""

import hashlib
import secrets
from datetime import timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from .mfa import lacks_required_factor
from .models import APIKey

_MARK = "parley-"
PREFIX = len(_MARK) + 6
# Writing when a key was last used at every request would cost more than it tells.
USED_EVERY = timedelta(minutes=1)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create(*, key: APIKey) -> str:
    """Store a new key; returns the secret, which cannot be shown again."""
    secret = _MARK + secrets.token_urlsafe(32)
    key.prefix, key.digest = secret[:PREFIX], _digest(secret)
    key.save()
    return secret


def use(secret: str) -> APIKey:
    """The open key with this secret, and its user, who is no staff without their second factor. Raises APIKey.DoesNotExist."""
    key = APIKey.objects.select_related("user").get(digest=_digest(secret))
    if not key.is_open or lacks_required_factor(key.user):
        raise APIKey.DoesNotExist
    now = timezone.now()
    if key.last_used_at is None or key.last_used_at < now - USED_EVERY:
        stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USED_EVERY)
        APIKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)
    return key


def revoke(*, keys: QuerySet[APIKey]) -> int:
    return keys.filter(revoked_at__isnull=True).update(revoked_at=timezone.now())
