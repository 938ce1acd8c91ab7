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
        log.append(*(Message(role=one.role, content=one.content, language=language) for one in history))
        question = Message(role=Message.Role.USER, user=user, content=content, client_id=uuid4(), language=language)
        log.append(question)
        log.append(log.new_reply())
    transaction.on_commit(lambda: signals.message_posted.send_robust(sender=Message, messages=[question]), robust=True)
    return question
