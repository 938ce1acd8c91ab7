"""What people do with conversations. Replies have a module of their own, `replies`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from accounts.models import User
from rest.prepared import pipelined

from . import signals
from .log import Log, locked, locked_all, move_behind, open_all
from .models import Conversation, Feedback, Message

TITLE_LENGTH = 120
HUMAN_TAG = "human_requested"
FRUSTRATED_TAG = "frustrated"


@dataclass(frozen=True)
class Post:
    """A visitor's message on its way in; without `conversation_id` it opens a conversation. `language` "" is the profile's."""

    user: User
    content: str
    client_id: UUID
    conversation_id: UUID | None = None
    language: str = ""

    @property
    def target(self) -> UUID:
        return self.conversation_id or conversation_id_for(self.user, self.client_id)


@dataclass(frozen=True)
class Posted:
    message: Message
    duplicate: bool


def conversation_id_for(user: User, client_id: UUID) -> UUID:
    """The id of the conversation that a first message opens: the same on every resend."""
    return uuid5(user.pk, str(client_id))


def post_message(
    *, user: User, content: str, client_id: UUID, conversation_id: UUID | None = None, language: str = ""
) -> Posted:
    """Store a visitor's message once, and queue the reply that it needs.

    Raises Conversation.DoesNotExist when `conversation_id` is not one of the user's.
    """
    (posted,) = post_messages([Post(user, content, client_id, conversation_id, language)])
    if posted is None:
        raise Conversation.DoesNotExist
    return posted


def post_messages(posts: Sequence[Post]) -> list[Posted | None]:
    """Store visitors' messages in one transaction, each once, and queue the replies that they need.

    None stands for a message whose conversation is not one of its user's.
    """
    with pipelined(), transaction.atomic():
        _open_conversations([post for post in posts if post.conversation_id is None])
        targets, client_ids = [post.target for post in posts], [post.client_id for post in posts]
        with locked_all(targets, client_ids) as (logs, held):
            known = {(one.conversation_id, one.client_id): one for one in held if one.client_id is not None}
            active = {one.conversation_id: one for one in held if one.client_id is None}
            posted = [_take(post, logs.get(post.target), known) for post in posts]
            written = [log for log in logs.values() if log.added]
            move_behind([(log, active[log.conversation.pk]) for log in written if log.conversation.pk in active])
            for log in written:
                if log.conversation.pk not in active and log.conversation.owner == Conversation.Owner.ASSISTANT:
                    log.append(log.new_reply())
        if new := [one.message for one in posted if one is not None and not one.duplicate]:
            transaction.on_commit(lambda: signals.message_posted.send_robust(sender=Message, messages=new), robust=True)
    return posted


def open_conversation(*, user: User, client_id: UUID, title: str = "", language: str = "") -> Conversation:
    """A conversation of the user without a message yet; a resend returns the one that the first made."""
    pk = conversation_id_for(user, client_id)
    values = {
        "title": _tidy(title),
        "language": language or user.language,
        "last_message_at": timezone.now(),
    }
    conversation, created = Conversation.objects.get_or_create(pk=pk, user=user, defaults=values)
    if created:
        _announce(conversation)
    return conversation


def _open_conversations(posts: Sequence[Post]) -> None:
    opened = [
        Conversation(
            pk=post.target,
            user=post.user,
            language=post.language or post.user.language,
            last_message_at=timezone.now(),
        )
        for post in posts
    ]
    if opened:
        open_all(opened)


Known = dict[tuple[UUID, UUID], Message]


def _take(post: Post, log: Log | None, known: Known) -> Posted | None:
    """Append a message to its log, unless it is there already or the log is somebody else's."""
    if log is None or log.conversation.user_id != post.user.pk:
        return None
    key = (log.conversation.pk, post.client_id)
    if key in known:
        return Posted(known[key], duplicate=True)
    known[key] = Message(
        role=Message.Role.USER,
        user=post.user,
        content=post.content,
        client_id=post.client_id,
        language=post.language or log.conversation.language,
    )
    log.append(known[key])
    return Posted(known[key], duplicate=False)


def mark_read(*, user: User, conversation_id: UUID, seq: int) -> None:
    """The visitor has seen what the other side wrote, up to `seq`."""
    Message.objects.filter(
        conversation_id=conversation_id, conversation__user=user, seq__lte=seq, read_at__isnull=True
    ).exclude(role=Message.Role.USER).update(read_at=Now(), delivered_at=Coalesce("delivered_at", Now()))


def give_feedback(*, user: User, message_id: UUID, value: str | None, reason: str = "") -> Message:
    """Set, change or (None) remove the visitor's verdict on an answer that has ended. Raises Message.DoesNotExist."""
    ended = Message.objects.exclude(status__in=Message.ACTIVE)
    message = ended.get(pk=message_id, conversation__user=user, role=Message.Role.ASSISTANT)
    with locked(message.conversation_id) as log:
        if value is None:
            Feedback.objects.filter(message=message).delete()
        else:
            Feedback.objects.update_or_create(
                message=message, defaults={"user": user, "value": value, "reason": reason}
            )
        message = Message.objects.select_related("feedback").get(pk=message.pk)
        log.change(message)
    return message


def mark_message_read(*, user: User, message_id: UUID) -> None:
    """The visitor has seen everything up to this message. Raises Message.DoesNotExist."""
    message = Message.objects.get(pk=message_id, conversation__user=user)
    mark_read(user=user, conversation_id=message.conversation_id, seq=message.seq)


def _tidy(title: str) -> str:
    return " ".join(title.split())[:TITLE_LENGTH]


def edit(*, conversation: Conversation, title: str | None = None, is_archived: bool | None = None) -> Conversation:
    """Give a conversation another title or place; what is None stays. Raises Conversation.DoesNotExist."""
    values: dict[str, Any] = {} if title is None else {"title": _tidy(title)}
    if is_archived is not None:
        values["is_archived"] = is_archived
    with transaction.atomic():
        # As it is by now: what is told of it holds what others changed meanwhile.
        conversation.refresh_from_db(from_queryset=Conversation.objects.select_for_update(no_key=True))
        _change(conversation, **values)
    return conversation


def set_title_if_untitled(*, conversation_id: UUID, title: str) -> bool:
    """Give a generated title unless somebody chose one meanwhile."""
    title = _tidy(title)
    with transaction.atomic():
        untitled = Conversation.objects.select_for_update(no_key=True).filter(pk=conversation_id, title="").first()
        if not title or untitled is None:
            return False
        _change(untitled, title=title)
    return True


def delete(*, conversation: Conversation) -> None:
    """Remove a conversation with everything in it; a running reply finds nothing to write to. Raises Conversation.DoesNotExist."""
    with transaction.atomic():
        conversation.refresh_from_db(from_queryset=Conversation.objects.select_for_update())
        user_id, pk = conversation.user_id, conversation.pk
        conversation.delete()
        conversation.pk, conversation.user_id = pk, user_id
        conversation.revision += 1
        _announce(conversation, deleted=True)


def reassign(*, source: User, target: User) -> None:
    """Move all that a guest said to the account that claims it."""
    for model in (Conversation, Message, Feedback):
        model._default_manager.filter(user=source).update(user=target)


def _change(conversation: Conversation, **values: Any) -> None:
    """Change a locked conversation."""
    for name, value in values.items():
        setattr(conversation, name, value)
    conversation.revision += 1
    conversation.save(update_fields=[*values, "revision", "updated_at"])
    _announce(conversation)


def _announce(conversation: Conversation, *, deleted: bool = False) -> None:
    transaction.on_commit(
        lambda: signals.conversation_changed.send_robust(
            sender=Conversation, conversation=conversation, deleted=deleted
        ),
        robust=True,
    )


def request_human(*, conversation_id: UUID) -> None:
    """Note for the team that this visitor asked for a person."""
    add_tag(conversation_id=conversation_id, tag=HUMAN_TAG)


@transaction.atomic
def add_tag(*, conversation_id: UUID, tag: str) -> None:
    """Mark a conversation for the team, once, and since when."""
    conversation = Conversation.objects.select_for_update(no_key=True).get(pk=conversation_id)
    if tag not in conversation.tags:
        conversation.tags.append(tag)
        conversation.context[f"{tag}_at"] = timezone.now().isoformat()
        conversation.save(update_fields=["tags", "context", "updated_at"])


def record_moderation(*, message_id: UUID, flagged: bool, categories: list[str], provider: str) -> bool:
    """Store the verdict on a visitor's message, once; False when it had one (or is gone)."""
    verdict = {"flagged": flagged, "categories": categories, "provider": provider}
    return bool(Message.objects.filter(pk=message_id, moderation__isnull=True).update(moderation=verdict))


def record_analysis(*, message_id: UUID, analysis: dict[str, Any]) -> bool:
    """Store what was read in a visitor's message, once; False when that was done before (or the message is gone)."""
    return bool(Message.objects.filter(pk=message_id, analysis__isnull=True).update(analysis=analysis))
