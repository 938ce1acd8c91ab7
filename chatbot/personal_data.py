"""What the assistant keeps outside the database: the text so far of running replies."""

from accounts.models import User
from accounts.privacy import redis_keys
from accounts.privacy.holdings import Store
from conversations import selectors
from conversations.models import Message

from . import live, runtime


def _running_texts(person: User) -> list[str]:
    """Ends the person's running replies, and names the keys of every reply of theirs that may still be there."""
    for reply in selectors.active_replies(person):
        runtime.run(live.request_stop(str(reply.pk)))
    replies = Message.objects.filter(conversation__user=person, role=Message.Role.ASSISTANT, attempt__gte=1)
    return [
        live.snapshot_key(str(pk), attempt)
        for pk, last in replies.values_list("pk", "attempt")
        for attempt in range(1, last + 1)
    ]


STORES = [Store("running replies", _running_texts, redis_keys.delete)]
