"""What people do with their conversations, and what strangers cannot."""

from uuid import uuid4

import pytest
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from conversations import replies, selectors, services, signals
from conversations.models import Conversation, Feedback, Message
from conversations.replies import Outcome


def answered(question: Message, content: str = "Two days.") -> Message:
    claimed = replies.claiming(Message.objects.get(status="queued", conversation=question.conversation).pk).ask()
    assert claimed is not None
    ended = replies.finish(claimed.reply, Outcome(status="sent", content=content))
    assert ended is not None
    return ended


def test_feedback_is_set_changed_and_removed(user: User, question: Message) -> None:
    reply = answered(question)
    first = services.give_feedback(user=user, message_id=reply.pk, value="down", reason="too vague")
    assert first.feedback.reason == "too vague"
    second = services.give_feedback(user=user, message_id=reply.pk, value="up")
    assert (second.feedback.value, second.seq) == ("up", reply.seq + 2)
    assert Feedback.objects.count() == 1
    services.give_feedback(user=user, message_id=reply.pk, value=None)
    assert not Feedback.objects.exists()


def test_strangers_and_questions_take_no_feedback(user: User, stranger: User, question: Message) -> None:
    reply = answered(question)
    with pytest.raises(Message.DoesNotExist):
        services.give_feedback(user=stranger, message_id=reply.pk, value="up")
    with pytest.raises(Message.DoesNotExist):
        services.give_feedback(user=user, message_id=question.pk, value="up")


def test_reading_marks_the_other_side_only(user: User, stranger: User, question: Message) -> None:
    reply = answered(question)
    services.mark_read(user=stranger, conversation_id=question.conversation_id, seq=99)
    reply.refresh_from_db()
    assert reply.read_at is None
    services.mark_read(user=user, conversation_id=question.conversation_id, seq=reply.seq)
    reply.refresh_from_db()
    question.refresh_from_db()
    assert reply.read_at is not None
    assert reply.delivered_at == reply.read_at
    assert question.read_at is None


def test_list_archive_rename_delete(
    user: User, stranger: User, question: Message, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    services.edit(conversation=question.conversation, title="  My   sofa ")
    assert [c.title for c in selectors.conversations_of(user)] == ["My sofa"]
    services.edit(conversation=question.conversation, is_archived=True)
    assert selectors.conversations_of(user) == []
    with django_assert_num_queries(1):
        assert len(selectors.conversations_of(user, archived=True)) == 1
    assert selectors.conversations_of(stranger, archived=True) == []
    with pytest.raises(Conversation.DoesNotExist):
        selectors.get_conversation(stranger, question.conversation_id)
    services.delete(conversation=question.conversation)
    assert not Message.objects.exists()


def test_a_chosen_title_stays(question: Message) -> None:
    assert services.set_title_if_untitled(conversation_id=question.conversation_id, title="Arrival")
    assert not services.set_title_if_untitled(conversation_id=question.conversation_id, title="Other")
    assert Conversation.objects.get().title == "Arrival"


def test_what_is_told_of_a_conversation_is_in_order_and_whole(
    question: Message, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    told: list[tuple[int, str, bool, bool]] = []

    def note(*, conversation: Conversation, deleted: bool, **kwargs: object) -> None:
        told.append((conversation.revision, conversation.title, conversation.is_archived, deleted))

    # Four tabs that saw it before any of them changed it.
    named, archived, restored, deleted = (Conversation.objects.get(pk=question.conversation_id) for _ in range(4))
    signals.conversation_changed.connect(note)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            services.set_title_if_untitled(conversation_id=question.conversation_id, title="Arrival")
            services.edit(conversation=archived, is_archived=True)
            services.edit(conversation=named, title="Sofa")
            services.edit(conversation=restored, is_archived=False)
            services.delete(conversation=deleted)
    finally:
        signals.conversation_changed.disconnect(note)
    assert told == [
        (1, "Arrival", False, False),
        (2, "Arrival", True, False),
        (3, "Sofa", True, False),
        (4, "Sofa", False, False),
        (5, "Sofa", False, True),
    ]


def test_what_another_tab_deleted_is_not_changed(question: Message) -> None:
    conversation, again = (Conversation.objects.get(pk=question.conversation_id) for _ in range(2))
    services.delete(conversation=Conversation.objects.get(pk=question.conversation_id))
    with pytest.raises(Conversation.DoesNotExist):
        services.edit(conversation=conversation, title="Sofa")
    with pytest.raises(Conversation.DoesNotExist):
        services.delete(conversation=again)
    assert not services.set_title_if_untitled(conversation_id=question.conversation_id, title="Arrival")


def test_search_finds_own_texts_with_a_snippet(
    user: User, stranger: User, question: Message, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    answered(question, "Your parcel takes two days within the Netherlands.")
    with django_assert_num_queries(2):
        hits = selectors.search_conversations(user, "PARCEL")
    assert [hit.conversation for hit in hits] == [question.conversation]
    assert "parcel takes" in hits[0].snippet
    assert selectors.search_conversations(stranger, "parcel") == []
    assert selectors.search_conversations(user, "  ") == []
    assert selectors.search_conversations(user, "100%_") == []


def test_transcript_pages_backwards(user: User, question: Message) -> None:
    for number in range(5):
        services.post_message(
            user=user, content=str(number), client_id=uuid4(), conversation_id=question.conversation_id
        )
    last = selectors.transcript(question.conversation, limit=3)
    assert [m.role for m in last] == ["user", "user", "assistant"]
    earlier = selectors.transcript(question.conversation, before=last[0].position, limit=10)
    assert [m.content for m in earlier] == ["When does it arrive?", "0", "1", "2"]


def test_changes_after_give_exactly_what_is_missing(question: Message) -> None:
    reply = answered(question)
    assert [m.pk for m in selectors.changes_after(question.conversation, 1, limit=10)] == [reply.pk]
    assert selectors.changes_after(question.conversation, reply.seq, limit=10) == []


def test_a_human_is_requested_once(question: Message) -> None:
    for _ in range(2):
        services.request_human(conversation_id=question.conversation_id)
    assert Conversation.objects.get().tags == ["human_requested"]


def test_a_verdict_is_stored_once(question: Message) -> None:
    verdict = {"flagged": True, "categories": ["x"], "provider": "local"}
    assert services.record_moderation(message_id=question.pk, flagged=True, categories=["x"], provider="local")
    assert not services.record_moderation(message_id=question.pk, flagged=False, categories=[], provider="x")
    question.refresh_from_db()
    assert question.moderation == verdict
    reply = Message.objects.get(role="assistant")
    claimed = replies.claiming(reply.pk, history=10).ask()
    assert claimed is not None
    assert claimed.said == []
