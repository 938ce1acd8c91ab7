"""Conversations that a client of another interface brings along: their beginning was said elsewhere."""

from collections.abc import Sequence
from uuid import uuid4

from django.db import transaction
from django.utils import timezone

from accounts.models import User

from . import signals
from .log import locked
from .models import Conversation, Message
from .replies import Said

API_TAG = "api"


@transaction.atomic
def ask_with_history(*, user: User, history: Sequence[Said], content: str) -> Message:
    """Open an archived conversation with what was said before, ask its next question and queue the reply to it."""
    conversation = Conversation.objects.create(
        user=user, language=user.language, last_message_at=timezone.now(), is_archived=True, tags=[API_TAG]
    )
    with locked(conversation.pk) as log:
        language = conversation.language
        log.append(*(_brought(one, language) for one in history))
        question = Message(role=Message.Role.USER, user=user, content=content, client_id=uuid4(), language=language)
        log.append(question)
        log.append(log.new_reply())
    transaction.on_commit(lambda: signals.message_posted.send_robust(sender=Message, messages=[question]), robust=True)
    return question


def _brought(said: Said, language: str) -> Message:
    """One message of the history, which clients bring anew with every question: the sweeps have nothing to do with it."""
    message = Message(role=said.role, content=said.content, language=language)
    if message.role == Message.Role.USER:
        message.moderation = {"flagged": False, "categories": [], "provider": "imported"}
        message.analysis = {}
    return message
