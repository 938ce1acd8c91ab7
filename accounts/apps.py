from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_migrate


def claim_on_login(sender: type, *, request: Any, user: Any, **kwargs: Any) -> None:
    """What was asked before signing in or up belongs to the account from then on."""
    from .services import claim_guest

    session = getattr(request, "session", None)
    if session is not None:
        claim_guest(session=session, user=user)


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from .roles import sync_groups

        user_logged_in.connect(claim_on_login, dispatch_uid="claim-guest")
        post_migrate.connect(sync_groups, dispatch_uid="sync-groups")
