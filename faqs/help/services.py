"""Votes: one a person and FAQ, changeable, with counts that stay right when many vote at once."""

from django.db import transaction
from django.db.models import F

from accounts.models import User

from ..models import FAQ
from .models import Vote


@transaction.atomic
def vote(*, faq_id: int, user: User, helpful: bool) -> FAQ:
    """Set or change somebody's verdict. Raises FAQ.DoesNotExist when no such FAQ is published."""
    # The row lock puts the votes on a FAQ in order.
    faq = FAQ.objects.published().select_for_update(no_key=True).get(pk=faq_id)  # type: ignore[attr-defined]
    held = Vote.objects.filter(faq=faq, user=user).first()
    if held is None:
        Vote.objects.create(faq=faq, user=user, helpful=helpful)
        _count(faq_id, helpful, 1)
    elif held.helpful != helpful:
        held.helpful = helpful
        held.save(update_fields=["helpful", "updated_at"])
        _count(faq_id, helpful, 1)
        _count(faq_id, not helpful, -1)
    return faq  # type: ignore[no-any-return]


def _count(faq_id: int, helpful: bool, by: int) -> None:
    name = "helpful_count" if helpful else "not_helpful_count"
    FAQ.objects.filter(pk=faq_id).update(**{name: F(name) + by})


@transaction.atomic
def reassign(*, source: User, target: User) -> None:
    """Hand a guest's votes to the account that claims it; where both voted, the account's stands."""
    for held in Vote.objects.filter(user=source, faq__votes__user=target).order_by("faq_id"):
        held.delete()
        _count(held.faq_id, held.helpful, -1)
    Vote.objects.filter(user=source).update(user=target)
