from typing import Any

from django.apps import AppConfig


def take_over_votes(sender: type, *, guest: Any, user: Any, **kwargs: Any) -> None:
    from .help.services import reassign

    reassign(source=guest, target=user)


class FAQsConfig(AppConfig):
    name = "faqs"
    verbose_name = "Knowledge base"

    def ready(self) -> None:
        from accounts.signals import guest_claimed

        from . import history  # noqa: F401 - its receiver

        guest_claimed.connect(take_over_votes, dispatch_uid="claim-votes")
