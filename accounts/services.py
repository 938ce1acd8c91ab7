"""Who is asking: the signed-in user, or the guest that belongs to the browser's session."""

from typing import Any

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from .models import User
from .sign_ins import announce_end
from .signals import guest_claimed

GUEST_KEY = "guest_id"


def visitor_of(user: Any, session: SessionBase | None) -> User | None:
    """The person behind a Django user and session: the account, else the session's guest, else None."""
    if user is not None and user.is_authenticated:
        return User.objects.filter(pk=user.pk, is_active=True).first() if not isinstance(user, User) else user
    guest_id = session.get(GUEST_KEY) if session is not None else None
    if guest_id is None:
        return None
    return User.objects.filter(pk=guest_id, status=User.Status.GUEST, is_active=True).first()


def visitor(request: HttpRequest) -> User | None:
    """The person behind a request; remembered on the request, so that asking again costs nothing."""
    if not hasattr(request, "_visitor"):
        request._visitor = visitor_of(getattr(request, "user", None), getattr(request, "session", None))  # type: ignore[attr-defined]
    return request._visitor  # type: ignore[attr-defined,no-any-return]


def create_guest(request: HttpRequest) -> User:
    """The request's visitor; makes a guest bound to the session when there is none."""
    if existing := visitor(request):
        return existing
    guest = User.new_guest(language=(get_language() or "en")[:2])
    guest.save()
    request.session[GUEST_KEY] = str(guest.pk)
    request._visitor = guest  # type: ignore[attr-defined]
    return guest


@transaction.atomic
def claim_guest(*, session: SessionBase, user: User) -> None:
    """Hand the session's guest, with all it owns, to an account; the guest is gone afterwards."""
    guest_id = session.pop(GUEST_KEY, None)
    guest = User.objects.select_for_update().filter(pk=guest_id, status=User.Status.GUEST).first()
    if guest is None:
        return
    # Other tabs may still be open as this guest.
    announce_end(user_id=guest.pk)
    guest_claimed.send(sender=User, guest=guest, user=user)
    guest.consents.update(user=user)
    guest.erasures.all().delete()
    guest.delete()


def edit_profile(*, user: User, **values: Any) -> User:
    """Change what a person decides about their profile."""
    for name, value in values.items():
        setattr(user, name, value)
    user.save(update_fields=[*values, "updated_at"])
    return user
