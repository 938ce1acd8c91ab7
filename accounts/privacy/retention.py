"""Nothing is kept for longer than its class of data says."""

from datetime import timedelta

from django.utils import timezone

from .holdings import retentions


def apply() -> dict[str, int]:
    """Delete what is past its time; the number of rows by class. Classes without an end are left out."""
    now = timezone.now()
    limits = [(one, one.days()) for one in retentions()]
    return {one.name: one.expire(now - timedelta(days=days)) for one, days in limits if days is not None}
