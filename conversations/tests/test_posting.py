"""Posting: once, in order, whatever is sent twice or at the same time."""

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from conversations import services, signals
from conversations.models import Conversation, Message
from conversations.services import Post


def log_of(conversation_id: UUID) -> list[tuple[int, int, str, str]]:
    rows = Message.objects.filter(conversation_id=conversation_id).order_by("position")
    return [(row.position, row.seq, row.role, row.status) for row in rows]


def test_first_message_opens_a_conversation_and_queues_a_reply(user: User) -> None:
    posted = services.post_message(user=user, content="Hello", client_id=uuid4(), language="de")
    conversation = posted.message.conversation
    assert log_of(conversation.pk) == [(1, 1, "user", "sent"), (2, 2, "assistant", "queued")]
    conversation.refresh_from_db()
    assert (conversation.last_seq, conversation.message_count, conversation.language) == (2, 2, "de")


def test_posting_takes_a_fixed_number_of_queries(
    question: Message, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(7):  # savepoint, lock, look, insert, move the queued reply, save, release
        services.post_message(user=user, content="And?", client_id=uuid4(), conversation_id=question.conversation_id)


@pytest.mark.parametrize("size", [1, 12])
def test_a_batch_takes_as_many_queries_as_one_message(
    user: User, size: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    posts = [Post(user, f"Message {number}", uuid4()) for number in range(size)]
    with django_assert_num_queries(7):  # savepoint, open, lock, look, insert, save, release
        posted = services.post_messages(posts)
    assert [one.message.content for one in posted if one] == [post.content for post in posts]
    assert Conversation.objects.count() == Message.objects.filter(status="queued").count() == size
    more = [Post(user, "And?", uuid4(), post.target) for post in posts]
    with django_assert_num_queries(7):  # savepoint, lock, look, move the queued replies, insert, save, release
        services.post_messages(more)
    assert [row[0] for row in log_of(posts[0].target)] == [1, 3, 4]


def test_a_batch_keeps_its_order_and_refuses_only_strangers(user: User, stranger: User, question: Message) -> None:
    twice, place = uuid4(), question.conversation_id
    posted = services.post_messages(
        [
            Post(user, "one", twice, place),
            Post(stranger, "not mine", uuid4(), place),
            Post(user, "two", uuid4(), place),
            Post(user, "one again", twice, place),
        ]
    )
    assert [one and (one.message.content, one.duplicate) for one in posted] == [
        ("one", False),
        None,
        ("two", False),
        ("one", True),
    ]
    assert log_of(place)[-3:] == [(3, 3, "user", "sent"), (4, 4, "user", "sent"), (5, 5, "assistant", "queued")]


def test_resend_returns_the_first_message(user: User) -> None:
    client_id = uuid4()
    first = services.post_message(user=user, content="Hello", client_id=client_id)
    again = services.post_message(user=user, content="Hello", client_id=client_id)
    assert again.duplicate
    assert again.message == first.message
    assert Conversation.objects.count() == 1
    assert len(log_of(first.message.conversation_id)) == 2


def test_client_id_is_per_conversation(user: User, question: Message) -> None:
    other = services.post_message(user=user, content="Other", client_id=uuid4()).message
    assert question.client_id is not None
    posted = services.post_message(
        user=user, content="Same id", client_id=question.client_id, conversation_id=other.conversation_id
    )
    assert not posted.duplicate


def test_a_queued_reply_moves_behind_the_new_message(user: User, question: Message) -> None:
    services.post_message(
        user=user, content="I mean the sofa", client_id=uuid4(), conversation_id=question.conversation_id
    )
    assert log_of(question.conversation_id) == [
        (1, 1, "user", "sent"),
        (3, 3, "user", "sent"),
        (4, 4, "assistant", "queued"),
    ]


def test_strangers_and_unknown_conversations_are_the_same(stranger: User, question: Message) -> None:
    for conversation_id in (question.conversation_id, uuid4()):
        with pytest.raises(Conversation.DoesNotExist):
            services.post_message(user=stranger, content="Hi", client_id=uuid4(), conversation_id=conversation_id)
    assert Message.objects.filter(user=stranger).count() == 0


def test_nobody_answers_for_an_agent(user: User, question: Message) -> None:
    Message.objects.filter(role="assistant").delete()
    Conversation.objects.update(owner="agent")
    services.post_message(user=user, content="Hi", client_id=uuid4(), conversation_id=question.conversation_id)
    assert not Message.objects.filter(role="assistant").exists()


@pytest.mark.parametrize(
    "values",
    [
        {"seq": 0},
        {"seq": 2},
        {"status": "streaming"},
        {"status": "queued"},
        {"role": "user", "status": "stopped"},
    ],
)
def test_the_database_refuses_broken_rows(question: Message, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=question.pk).update(**values)


def test_one_active_reply_a_conversation(question: Message) -> None:
    reply = Message.objects.get(role="assistant")
    reply.pk, reply.seq, reply.position = uuid4(), 9, 9
    with pytest.raises(IntegrityError), transaction.atomic():
        reply.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_concurrent_resends_store_every_message_once_without_gaps() -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    first = services.post_message(user=user, content="0", client_id=uuid4()).message
    Conversation.objects.update(owner="agent")
    Message.objects.filter(role="assistant").update(status="discarded", lease_expires_at=None)
    ids = [uuid4() for _ in range(50)] * 2

    def post(client_id: UUID) -> bool:
        try:
            return services.post_message(
                user=user, content="x", client_id=client_id, conversation_id=first.conversation_id
            ).duplicate
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        duplicates = list(pool.map(post, ids))
    assert duplicates.count(True) == 50
    rows = Message.objects.filter(conversation_id=first.conversation_id).order_by("seq")
    assert [row.seq for row in rows] == list(range(1, 53))
    assert Conversation.objects.get().last_seq == 52


@pytest.mark.django_db(transaction=True)
def test_signals_come_after_the_commit_and_only_for_new_messages() -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    heard: list[str] = []

    def listen(sender: object, **kwargs: object) -> None:
        heard.append("in transaction" if connection.in_atomic_block else "after commit")

    signals.message_posted.connect(listen)
    try:
        client_id = uuid4()
        for _ in range(2):
            services.post_message(user=user, content="Hello", client_id=client_id)
    finally:
        signals.message_posted.disconnect(listen)
    assert heard == ["after commit"]
