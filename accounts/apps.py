from typing import Any
from uuid import UUID

from django.apps import AppConfig
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete, post_migrate, post_save
from django.utils import timezone


def claim_on_login(sender: type, *, request: Any, user: Any, **kwargs: Any) -> None:
    """What was asked before signing in or up belongs to the account from then on."""
    from .services import claim_guest

    session = getattr(request, "session", None)
    if session is not None:
        claim_guest(session=session, user=user)


def announce_signed_out_browser(sender: type, *, instance: Any, **kwargs: Any) -> None:
    """A session went before its time: by logout, or ended from elsewhere."""
    from .sign_ins import announce_end

    user_id = instance.get_decoded().get(SESSION_KEY) if instance.expire_date > timezone.now() else None
    if user_id is not None:
        announce_end(user_id=UUID(user_id))


def announce_locked_out(sender: type, *, instance: Any, created: bool, **kwargs: Any) -> None:
    """A new password ends the other sessions, and an account that is suspended or closed all of them."""
    from .sign_ins import announce_end

    if not created and (not instance.is_active or instance._password is not None):
        announce_end(user_id=instance.pk)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from django.contrib.sessions.models import Session

        from .models import User
        from .roles import sync_groups

        user_logged_in.connect(claim_on_login, dispatch_uid="claim-guest")
        post_delete.connect(announce_signed_out_browser, sender=Session, dispatch_uid="announce-signed-out-browser")
        post_save.connect(announce_locked_out, sender=User, dispatch_uid="announce-locked-out")
        post_migrate.connect(sync_groups, dispatch_uid="sync-groups")
