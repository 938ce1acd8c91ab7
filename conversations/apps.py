from typing import Any

from django.apps import AppConfig


def take_over_conversations(sender: type, *, guest: Any, user: Any, **kwargs: Any) -> None:
    from .services import reassign

    reassign(source=guest, target=user)


class ConversationsConfig(AppConfig):
    name = "conversations"

    def ready(self) -> None:
        from accounts.signals import guest_claimed

        guest_claimed.connect(take_over_conversations, dispatch_uid="claim-conversations")
