"""A reply's life: claimed once, fenced, stopped, swept, regenerated, never spoken after a takeover."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from conversations import imports, replies, selectors, services, signals
from conversations.models import Conversation, Message
from conversations.replies import Outcome, Said
from deploy.tests.processes import until
from rest.tests.locks import somebody_waits

SENT = Outcome(status="sent", content="Two days [1].", sources=[{"n": 1}], tokens_used=7, model_used="m")
ERROR = {"code": "moderated", "message": "no"}


def claimed(question: Message) -> Message:
    return take(Message.objects.get(role="assistant", status="queued"))


def take(queued: Message) -> Message:
    taken = replies.claiming(queued.pk).ask()
    assert taken is not None
    return taken.reply


def expire(reply: Message) -> None:
    Message.objects.filter(pk=reply.pk).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def post(question: Message, content: str = "And?") -> Message:
    assert question.user is not None
    return services.post_message(
        user=question.user, content=content, client_id=uuid4(), conversation_id=question.conversation_id
    ).message


def test_claim_is_exclusive(question: Message) -> None:
    reply = claimed(question)
    assert (reply.status, reply.attempt) == ("streaming", 1)
    assert replies.claiming(reply.pk).ask() is None


def test_finish_writes_once(question: Message) -> None:
    reply = claimed(question)
    ended = replies.finish(reply, SENT)
    assert ended is not None
    stored = Message.objects.get(pk=reply.pk)
    assert (stored.status, stored.content, stored.seq, stored.position) == ("sent", "Two days [1].", 3, 2)
    assert stored.lease_expires_at is None
    assert replies.finish(reply, SENT) is None
    conversation = Conversation.objects.get()
    assert (conversation.last_seq, conversation.total_tokens) == (3, 7)


def test_a_zombie_cannot_write_after_another_worker_claimed(question: Message) -> None:
    zombie = claimed(question)
    expire(zombie)
    taken = take(zombie)
    assert taken.attempt == 2
    assert replies.finish(zombie, SENT) is None
    assert replies.renew([zombie]) == {}
    assert replies.renew([zombie, taken]) == {taken.pk: False}
    assert replies.finish(taken, SENT) is not None


def test_the_sweeper_requeues_only_what_is_due(question: Message) -> None:
    reply = claimed(question)
    assert replies.sweep() == []
    expire(reply)
    assert replies.sweep() == [reply.pk]
    assert replies.sweep() == []
    assert replies.finish(reply, SENT) is None
    assert take(reply).attempt == 2


def test_messages_during_a_reply_are_answered_together_by_the_next(question: Message) -> None:
    reply = claimed(question)
    for _ in range(3):
        post(question)
    assert Message.objects.filter(status="queued").count() == 0
    replies.finish(reply, SENT)
    following = Message.objects.get(status="queued")
    assert following.position == Conversation.objects.get().last_seq
    replies.finish(take(following), SENT)
    assert not Message.objects.filter(status__in=Message.ACTIVE).exists()


def test_a_flagged_message_gets_no_next_reply(question: Message) -> None:
    reply = claimed(question)
    late = post(question)
    services.record_moderation(message_id=late.pk, flagged=True, categories=["violence"], provider="local")
    replies.finish(reply, SENT)
    assert not Message.objects.filter(status="queued").exists()


def test_an_unflagged_verdict_changes_nothing(question: Message) -> None:
    reply = claimed(question)
    late = post(question)
    services.record_moderation(message_id=late.pk, flagged=False, categories=[], provider="local")
    replies.finish(reply, SENT)
    assert Message.objects.filter(status="queued").count() == 1


def test_nothing_is_said_after_a_takeover(question: Message) -> None:
    reply = claimed(question)
    replies.take_over(conversation_id=question.conversation_id)
    assert replies.finish(reply, SENT) is None
    assert replies.renew([reply]) == {}
    stored = Message.objects.get(pk=reply.pk)
    assert (stored.status, stored.content) == ("discarded", "")


def test_a_takeover_asked_for_twice_happens_once(question: Message) -> None:
    for _ in range(2):
        replies.take_over(conversation_id=question.conversation_id)
    assert Message.objects.filter(role="system").count() == 1
    assert Conversation.objects.get().owner_epoch == 1


@pytest.mark.parametrize(
    "end",
    [
        lambda question: replies.request_stop(user=question.user, conversation_id=question.conversation_id),
        lambda question: replies.take_over(conversation_id=question.conversation_id),
        lambda question: withhold(question),
    ],
    ids=["stop", "takeover", "moderation"],
)
def test_who_writes_a_reply_is_told_of_its_end(
    question: Message, end: Callable[[Message], object], django_capture_on_commit_callbacks: Any
) -> None:
    reply, told = claimed(question), list[UUID]()

    def listen(sender: object, *, reply_id: UUID, **kwargs: object) -> None:
        told.append(reply_id)

    signals.stop_requested.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            end(question)
    finally:
        signals.stop_requested.disconnect(listen)
    assert told == [reply.pk]


def test_an_older_epoch_ends_discarded(question: Message) -> None:
    reply = claimed(question)
    Conversation.objects.update(owner_epoch=1)
    ended = replies.finish(reply, SENT)
    assert ended is not None
    assert (ended.status, ended.content) == ("discarded", "")


def test_stop_ends_a_queued_reply_at_once(user: User, question: Message) -> None:
    assert replies.request_stop(user=user, conversation_id=question.conversation_id)
    assert Message.objects.get(role="assistant").status == "stopped"
    assert not replies.request_stop(user=user, conversation_id=question.conversation_id)


def test_stop_of_a_streaming_reply_is_seen_by_its_worker(user: User, question: Message) -> None:
    reply = claimed(question)
    assert replies.request_stop(user=user, conversation_id=question.conversation_id)
    assert replies.renew([reply]) == {reply.pk: True}


def test_strangers_stop_nothing(stranger: User, question: Message) -> None:
    with pytest.raises(Conversation.DoesNotExist):
        replies.request_stop(user=stranger, conversation_id=question.conversation_id)


def test_regenerate_discards_and_queues(user: User, question: Message) -> None:
    reply = claimed(question)
    with pytest.raises(replies.CannotRegenerate):
        replies.regenerate(user=user, message_id=reply.pk)
    replies.finish(reply, SENT)
    replies.regenerate(user=user, message_id=reply.pk)
    statuses = list(Message.objects.filter(role="assistant").order_by("position").values_list("status", flat=True))
    assert statuses == ["discarded", "queued"]
    with pytest.raises(replies.CannotRegenerate):
        replies.regenerate(user=user, message_id=reply.pk)


def test_strangers_regenerate_nothing(stranger: User, question: Message) -> None:
    with pytest.raises(Message.DoesNotExist):
        replies.regenerate(user=stranger, message_id=claimed(question).pk)


def withhold(question: Message) -> None:
    replies.withhold(message=question, categories=["violence"], provider="local", notice="no", error=ERROR)
    question.refresh_from_db()
    assert question.moderation == {"flagged": True, "categories": ["violence"], "provider": "local"}


def test_withhold_ends_the_running_reply(question: Message) -> None:
    reply = claimed(question)
    withhold(question)
    assert replies.finish(reply, SENT) is None
    stored = Message.objects.get(pk=reply.pk)
    assert (stored.status, stored.content, stored.metadata["error"]) == ("stopped", "no", ERROR)


def test_withhold_replaces_a_sent_reply(question: Message) -> None:
    reply = claimed(question)
    replies.finish(reply, SENT)
    withhold(question)
    shown = Message.objects.filter(role="assistant").exclude(status="discarded").get()
    assert (shown.content, shown.status) == ("no", "stopped")


def test_a_deleted_conversation_takes_its_reply_along(question: Message) -> None:
    reply = claimed(question)
    services.delete(conversation=question.conversation)
    assert replies.finish(reply, SENT) is None
    assert replies.claiming(reply.pk).ask() is None
    assert replies.renew([reply]) == {}


@pytest.mark.django_db(transaction=True)
def test_a_claim_that_waits_for_a_message_answers_it(user: User) -> None:
    first = services.post_message(user=user, content="First", client_id=uuid4()).message
    queued = Message.objects.get(status="queued")

    def claim() -> list[str]:
        try:
            claimed = replies.claiming(queued.pk, history=10).ask()
            assert claimed is not None
            return [one.content for one in claimed.said]
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            post(first, "Second")
            said = threads.submit(claim)
            until(somebody_waits, "the claim to wait for the row")
        assert said.result(10) == ["First", "Second"]


@pytest.mark.django_db(transaction=True)
def test_who_listens_is_told_what_a_reply_answers(user: User) -> None:
    told: list[str] = []

    def listen(sender: object, *, asked: str, **kwargs: object) -> None:
        told.append(asked)

    signals.reply_queued.connect(listen)
    try:
        question = services.post_message(user=user, content="How long?", client_id=uuid4()).message
        said = [Said("user", "Long ago"), Said("assistant", "Two days.")]
        imports.ask_with_history(user=user, history=said, content="And now?")
        replies.finish(take(Message.objects.get(conversation=question.conversation, status="queued")), SENT)
        replies.regenerate(
            user=user, message_id=Message.objects.get(status="sent", role="assistant", content="Two days [1].").pk
        )
    finally:
        signals.reply_queued.disconnect(listen)
    assert told == ["How long?", "And now?", ""]


def test_the_sweeps_pass_over_history_that_a_client_brought(user: User) -> None:
    said = [Said("user", "I will kill you"), Said("assistant", "No."), Said("user", "This is ridiculous")]
    question = imports.ask_with_history(user=user, history=said, content="And now?")
    soon = timezone.now() + timedelta(minutes=5)
    assert selectors.unmoderated(before=soon) == selectors.unread(before=soon) == [question.pk]
    brought = Message.objects.filter(role="user").exclude(pk=question.pk)
    assert [(one.is_flagged, one.analysis) for one in brought] == [(False, {})] * 2
    claim = replies.claiming(Message.objects.get(status="queued").pk, history=10).ask()
    assert claim is not None
    assert [one.content for one in claim.said] == ["I will kill you", "No.", "This is ridiculous", "And now?"]
