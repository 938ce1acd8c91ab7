"""The versions of a FAQ: rows of its history while it was published, with the phrasings of that time."""

from typing import Any

from django.dispatch import receiver
from simple_history.signals import pre_create_historical_record

from accounts.models import User

from .content import Content
from .models import FAQ


@receiver(pre_create_historical_record, sender=FAQ.history.model)
def keep_phrasings(sender: type, instance: FAQ, history_instance: Any, **kwargs: Any) -> None:
    history_instance.phrasings = sorted(instance.phrasings.values_list("text", flat=True)) if instance.pk else []


def save(faq: Any, *, by: User | None, comment: str = "", keep: bool = True) -> None:
    """Save the FAQ's row; `keep` adds it to the history under this person's name."""
    faq._history_user, faq._change_reason = by, comment
    if keep:
        faq.save()
    else:
        faq.save_without_historical_record()


def versions(faq: FAQ) -> list[Any]:
    """What visitors could read, the newest first; rows that changed nothing that editors write are left out."""
    rows = list(faq.history.filter(status=FAQ.Status.PUBLISHED).select_related("history_user").order_by("history_id"))
    kept = [
        row for before, row in zip([None, *rows], rows, strict=False) if before is None or before.content != row.content
    ]
    return kept[::-1]


def keep_version(faq: FAQ) -> None:
    """Make sure that what visitors read now is among the versions, however it was written."""
    newest = faq.history.filter(status=FAQ.Status.PUBLISHED).order_by("-history_id").first()
    if faq.is_live and (newest is None or newest.content != Content.of(faq)):
        faq.save()
