"""The socket in process: who may connect, every frame and its errors, and what is heard live."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from channels.layers import get_channel_layer
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from channels_redis.pubsub import RedisPubSubLoopLayer
from django.contrib.sessions.backends.base import SessionBase
from redis.exceptions import ConnectionError as RedisConnectionError

from accounts import sign_ins
from accounts.models import User
from accounts.services import GUEST_KEY, claim_guest
from chatbot import consumers, ends, events, live
from chatbot.metrics import SOCKETS
from chatbot.routing import websocket_urlpatterns
from chatbot.runtime import db
from chatbot.socket_auth import SocketAuthentication
from conversations import replies, services
from conversations.models import Conversation, Feedback, Message
from conversations.replies import Outcome
from rest import limits

pytestmark = pytest.mark.django_db(transaction=True)
application = URLRouter(websocket_urlpatterns)
Frame = dict[str, Any]
SOME_ID = "6f1c1f3e-8f0e-4a57-9d1c-0c7a3f0d2b11"


class Socket:
    def __init__(self, user: User | None, user_id: UUID | None = None) -> None:
        wanted = user_id or (user.pk if user else uuid4())
        self.communicator = WebsocketCommunicator(application, f"/api/v1/chat/ws/{wanted}")
        self.communicator.scope["user"] = user
        self.communicator.scope["session"] = {}

    async def send(self, **frame: Any) -> None:
        await self.communicator.send_to(text_data=orjson.dumps(frame).decode())

    async def receive(self) -> Frame:
        return dict(orjson.loads(await self.communicator.receive_from(timeout=5)))

    async def until(self, *kinds: str) -> Frame:
        """The next frame of one of these types, whatever comes before it."""
        while True:
            frame = await self.receive()
            if frame["type"] in kinds:
                return frame

    async def ask(self, content: str = "Hello", **fields: Any) -> Frame:
        await self.send(type="message", client_id=str(uuid4()), content=content, **fields)
        return await self.until("ack", "error")


@pytest.fixture
async def user() -> User:
    return await db(User.objects.create_user, "ada@example.com", "correct horse battery")


@pytest.fixture
async def socket(user: User) -> AsyncIterator[Socket]:
    socket = Socket(user)
    await socket.communicator.connect()
    assert (await socket.receive())["type"] == "ready"
    yield socket
    await socket.communicator.disconnect()
    await ends.hub().aclose()


async def claimed(conversation_id: str) -> Message:
    queued = await db(Message.objects.get, conversation_id=conversation_id, status="queued")
    taken = await db(replies.claiming(queued.pk).ask)
    assert taken is not None
    return taken.reply


async def test_without_a_session_it_closes_with_4401() -> None:
    socket = Socket(None)
    await socket.communicator.connect()
    assert (await socket.communicator.receive_output(5))["code"] == 4401


async def test_somebody_elses_address_closes_with_4403(user: User) -> None:
    socket = Socket(user, uuid4())
    await socket.communicator.connect()
    assert (await socket.communicator.receive_output(5))["code"] == 4403


async def test_a_message_is_acknowledged_and_heard_once(socket: Socket, user: User) -> None:
    client_id = str(uuid4())
    for duplicate in (False, True):
        await socket.send(type="message", client_id=client_id, content=" Hi ", conversation_id=None, language="de")
        ack = await socket.until("ack")
        assert (ack["client_id"], ack["duplicate"]) == (client_id, duplicate)
    await socket.send(type="sync", conversation_id=ack["conversation_id"], after=0)
    held = {}
    while (frame := await socket.until("message", "synced"))["type"] == "message":
        held[frame["message_id"]] = frame["content"]
    assert list(held.values()) == ["Hi", ""]
    assert frame == {"type": "synced", "conversation_id": ack["conversation_id"], "last_seq": 2, "more": False}


async def test_other_sockets_of_the_user_hear_the_message(socket: Socket, user: User) -> None:
    other = Socket(user)
    await other.communicator.connect()
    await other.until("ready")
    await socket.ask("Hello")
    assert (await other.until("message"))["content"] == "Hello"
    await other.communicator.disconnect()


async def test_deltas_snapshot_and_response(socket: Socket) -> None:
    ack = await socket.ask()
    reply = await claimed(ack["conversation_id"])
    publisher = live.Publisher(live.connect())
    stream = live.Stream(str(reply.conversation_id), str(reply.pk), reply.attempt)
    await publisher.add(stream, "Grüß ")
    delta = await socket.until("delta")
    assert (delta["offset"], delta["text"], delta["attempt"]) == (0, "Grüß ", 1)
    await publisher.add(stream, "😀")
    await publisher.add(stream, "!")
    await publisher.drain(stream)
    assert (await socket.until("delta"))["offset"] == 5
    await socket.send(type="sync", conversation_id=ack["conversation_id"], after=0)
    assert (await socket.until("snapshot"))["content"] == "Grüß 😀!"
    await publisher.client.flushdb()
    await publisher.add(stream, "?")
    await publisher.drain(stream)
    assert (await socket.until("delta"))["offset"] == 8
    assert await live.read_snapshot(publisher.client, str(reply.pk), 1) == "Grüß 😀!?"
    await db(replies.finish, reply, Outcome(status="sent", content="Done"))
    response = await socket.until("response")
    assert (response["content"], response["status"], response["message_id"]) == ("Done", "sent", str(reply.pk))
    await publisher.client.aclose()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_json"),
        ('{"type": "dance"}', "unknown_type"),
        ('{"type": 5}', "unknown_type"),
        ('{"type": "message", "content": "x"}', "invalid"),
        (f'{{"type": "message", "content": "", "client_id": "{SOME_ID}"}}', "invalid"),
        (
            f'{{"type": "message", "content": "x", "client_id": "{SOME_ID}", "conversation_id": "{SOME_ID}"}}',
            "not_found",
        ),
        (f'{{"type": "sync", "conversation_id": "{SOME_ID}"}}', "not_found"),
        (f'{{"type": "stop", "conversation_id": "{SOME_ID}"}}', "not_found"),
        (f'{{"type": "regenerate", "message_id": "{SOME_ID}"}}', "not_found"),
        (f'{{"type": "typing", "conversation_id": "{SOME_ID}"}}', "not_found"),
        (f'{{"type": "feedback", "message_id": "{SOME_ID}", "value": "up"}}', "not_found"),
        (f'{{"type": "feedback", "message_id": "{SOME_ID}", "value": "so-so"}}', "invalid"),
        (f'{{"type": "read", "conversation_id": "{SOME_ID}"}}', "invalid"),
        ('{"type": "pong"}', "invalid"),
        # Can be read, but not be written again.
        (f'{{"type": "ping", "id": {"[" * 254 + "]" * 254}}}', "invalid"),
        (f'{{"type": "ping", "id": "{"x" * 65}"}}', "invalid"),
        (" " * 40_000, "frame_too_large"),
    ],
)
async def test_bad_frames_get_an_error_and_the_socket_lives_on(socket: Socket, text: str, code: str) -> None:
    await socket.communicator.send_to(text_data=text)
    assert (await socket.until("error"))["code"] == code
    await socket.send(type="ping", id=7)
    assert await socket.until("pong") == {"type": "pong", "id": 7}


async def test_binary_frames_are_refused(socket: Socket) -> None:
    await socket.communicator.send_to(bytes_data=b"{}")
    assert (await socket.until("error"))["code"] == "bad_json"


async def test_strangers_conversations_are_not_found_nor_watched(socket: Socket) -> None:
    stranger = await db(User.objects.create_user, "eve@example.com", "correct horse battery")
    posted = await db(services.post_message, user=stranger, content="Secret", client_id=uuid4())
    theirs = str(posted.message.conversation_id)
    assert (await socket.ask("Mine now", conversation_id=theirs))["code"] == "not_found"
    await socket.send(type="sync", conversation_id=theirs)
    assert (await socket.until("error"))["code"] == "not_found"
    assert ends.hub().watchers(theirs) == 0


async def test_stop_regenerate_feedback_read(socket: Socket) -> None:
    ack = await socket.ask()
    key = ack["conversation_id"]
    await socket.send(type="stop", conversation_id=key)
    stopped = await socket.until("response")
    assert stopped["status"] == "stopped"
    await socket.send(type="stop", conversation_id=key)
    assert (await socket.until("error"))["code"] == "nothing_to_stop"
    await socket.send(type="regenerate", message_id=stopped["message_id"])
    assert (await socket.until("response"))["status"] == "discarded"
    await socket.send(type="regenerate", message_id=stopped["message_id"])
    assert (await socket.until("error"))["code"] == "cannot_regenerate"
    reply = await claimed(key)
    await db(replies.finish, reply, Outcome(status="sent", content="Two days."))
    await socket.until("response")
    await socket.send(type="feedback", message_id=str(reply.pk), value="down", reason="vague")
    assert (await socket.until("response"))["feedback"] == "down"
    assert (await db(Feedback.objects.get)).reason == "vague"
    await socket.send(type="read", conversation_id=key, seq=99)
    await socket.send(type="ping")
    await socket.until("pong")
    assert (await db(Message.objects.get, pk=reply.pk)).read_at is not None


async def test_typing_is_told_to_the_other_sockets_only(socket: Socket, user: User) -> None:
    ack = await socket.ask()
    other = Socket(user)
    await other.communicator.connect()
    await other.until("ready")
    await socket.send(type="typing", conversation_id=ack["conversation_id"])
    typing = await other.until("typing")
    assert (typing["role"], typing["ttl"]) == ("user", 6)
    await socket.send(type="ping", id=1)
    seen = []
    while (frame := await socket.receive())["type"] != "pong":
        seen.append(frame["type"])
    assert "typing" not in seen
    await other.communicator.disconnect()


async def test_typing_does_without_a_channel_layer_that_is_away_or_hangs(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*args: Any) -> None:
        raise RedisConnectionError

    async def hung(*args: Any) -> None:
        await asyncio.Event().wait()

    key = (await socket.ask())["conversation_id"]
    monkeypatch.setattr(events, "SEND_SECONDS", 0.01)
    for number, group_send in enumerate((away, hung)):
        monkeypatch.setattr(RedisPubSubLoopLayer, "group_send", group_send)
        await socket.send(type="typing", conversation_id=key)
        await socket.send(type="ping", id=number)
        assert (await socket.until("pong"))["id"] == number


@pytest.mark.parametrize(("fails", "redis_hangs"), [(True, False), (False, False), (False, True)])
async def test_a_handler_that_fails_or_is_cancelled_leaves_nothing_behind(
    user: User, monkeypatch: pytest.MonkeyPatch, fails: bool, redis_hangs: bool
) -> None:
    called = asyncio.Event()

    async def on_ping(*args: Any) -> None:
        called.set()
        if fails:
            raise RuntimeError
        await asyncio.Event().wait()

    async def hung(*args: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(consumers.ChatConsumer, "on_ping", on_ping)
    before, socket = SOCKETS._value.get(), Socket(user)
    await socket.communicator.connect()
    key = (await socket.ask())["conversation_id"]
    assert (len(ends.hub()._resync), ends.hub().watchers(key), SOCKETS._value.get()) == (1, 1, before + 1)
    if redis_hangs:
        monkeypatch.setattr(events, "SEND_SECONDS", 0.01)
        monkeypatch.setattr(RedisPubSubLoopLayer, "group_discard", hung)
    await socket.send(type="ping")
    await called.wait()
    if not fails:
        # As daphne does when the socket is closed and its application is not, ten seconds later.
        socket.communicator.future.cancel()
    with pytest.raises((RuntimeError, asyncio.CancelledError)):
        await socket.communicator.future
    assert (ends.hub()._resync, ends.hub().watchers(key), SOCKETS._value.get()) == (set(), 0, before)
    assert redis_hangs or not get_channel_layer().groups
    await ends.hub().aclose()


async def test_the_list_of_conversations_and_its_changes(socket: Socket) -> None:
    ack = await socket.ask()
    conversation = await db(Conversation.objects.get, pk=ack["conversation_id"])
    await db(services.edit, conversation=conversation, title="Sofa")
    assert (await socket.until("conversation"))["title"] == "Sofa"
    await socket.send(type="sync")
    assert (await socket.until("conversation"))["conversation_id"] == ack["conversation_id"]
    assert (await socket.until("synced"))["conversation_id"] is None
    await db(services.delete, conversation=conversation)
    assert (await socket.until("conversation"))["is_deleted"] is True


async def test_too_many_frames_are_refused_then_the_socket_is_closed(
    user: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SOCKET_FRAMES_PER_SECOND, settings.SOCKET_FRAMES_BURST = 0.001, 2
    monkeypatch.setattr(consumers, "REFUSALS", 2)
    socket = Socket(user)
    await socket.communicator.connect()
    for _ in range(5):
        await socket.send(type="ping")
    refused = [await socket.until("error") for _ in range(2)]
    assert {frame["code"] for frame in refused} == {"rate_limited"}
    assert refused[0]["retry_after"] > 0
    assert (await socket.communicator.receive_output(5))["code"] == 4429


async def test_frames_that_cannot_be_read_count_and_refusals_name_the_message(user: User, settings: Any) -> None:
    settings.SOCKET_FRAMES_PER_SECOND, settings.SOCKET_FRAMES_BURST = 0.001, 2
    socket = Socket(user)
    await socket.communicator.connect()
    await socket.communicator.send_to(text_data="{")
    await socket.communicator.send_to(bytes_data=b"{}")
    await socket.communicator.send_to(text_data="{")
    await socket.send(type="message", client_id=SOME_ID, content="Hello")
    codes = [(await socket.until("error"))["code"] for _ in range(3)]
    assert codes == ["bad_json", "bad_json", "rate_limited"]
    assert (await socket.until("error"))["client_id"] == SOME_ID
    await socket.communicator.disconnect()
    await ends.hub().aclose()


async def test_a_reader_that_never_answers_pings_is_closed_with_4408(
    socket: Socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.outbox.PING_EVERY_BYTES", 200)
    monkeypatch.setattr("chatbot.outbox.UNANSWERED_BYTES", 1000)
    await socket.send(type="ping", id=0)
    ping_frames = 0
    while True:
        output = await socket.communicator.receive_output(5)
        if output["type"] == "websocket.close":
            break
        ping_frames += '"type":"ping"' in output["text"]
        await socket.send(type="ping", id="x" * 50)
    assert output["code"] == 4408
    assert ping_frames >= 2


# -- tokens ------------------------------------------------------------------------------------------------------


def with_token(user: User, token: str, *, subprotocol: bool) -> WebsocketCommunicator:
    address = f"/api/v1/chat/ws/{user.pk}"
    guarded = SocketAuthentication(URLRouter(websocket_urlpatterns))
    if subprotocol:
        return WebsocketCommunicator(guarded, address, subprotocols=["parley", f"bearer.{token}"])
    return WebsocketCommunicator(guarded, address, headers=[(b"authorization", f"Bearer {token}".encode())])


@pytest.mark.parametrize("subprotocol", [False, True])
async def test_a_token_opens_the_socket_without_an_origin(user: User, subprotocol: bool) -> None:
    pair = await db(sign_ins.begin, user=user, user_agent="test", address="127.0.0.1")
    socket = with_token(user, pair.access, subprotocol=subprotocol)
    assert await socket.connect(timeout=5) == (True, "parley" if subprotocol else None)
    assert orjson.loads(await socket.receive_from(5))["type"] == "ready"
    await socket.disconnect()
    await ends.hub().aclose()


async def test_a_token_that_does_not_count_closes_with_4401(user: User) -> None:
    pair = await db(sign_ins.begin, user=user, user_agent="test", address="127.0.0.1")
    await db(sign_ins.revoke_all, user=user)
    socket = with_token(user, pair.access, subprotocol=False)
    await socket.connect(timeout=5)
    assert (await socket.receive_output(5))["code"] == 4401


async def test_the_end_of_a_sign_in_closes_the_sockets_of_its_user_alone(user: User) -> None:
    bob = await db(User.objects.create_user, "bob@example.com", "correct horse battery")
    pairs = [await db(sign_ins.begin, user=one, user_agent="test", address="127.0.0.1") for one in (user, bob)]
    sockets = [with_token(pair.sign_in.user, pair.access, subprotocol=False) for pair in pairs]
    for socket in sockets:
        await socket.connect(timeout=5)
        assert orjson.loads(await socket.receive_from(5))["type"] == "ready"
    await db(sign_ins.end, token=pairs[0].refresh)
    assert (await sockets[0].receive_output(5))["code"] == 4409
    await sockets[1].send_to(text_data='{"type":"ping","id":1}')
    assert orjson.loads(await sockets[1].receive_from(5)) == {"type": "pong", "id": 1}
    again = with_token(user, pairs[0].access, subprotocol=False)
    await again.connect(timeout=5)
    assert (await again.receive_output(5))["code"] == 4401
    await sockets[1].disconnect()
    await ends.hub().aclose()


async def test_a_guest_that_signs_in_closes_what_is_open_as_the_guest(user: User) -> None:
    guest = User.new_guest(language="en")
    await db(guest.save)
    socket = Socket(guest)
    await socket.communicator.connect()
    await socket.until("ready")
    session = SessionBase()
    session[GUEST_KEY] = str(guest.pk)
    await db(claim_guest, session=session, user=user)
    assert (await socket.communicator.receive_output(5))["code"] == 4409
    await socket.communicator.disconnect()
    again = Socket(user, guest.pk)
    await again.communicator.connect()
    assert (await again.communicator.receive_output(5))["code"] == 4403
    await ends.hub().aclose()


async def test_a_token_in_the_address_is_not_looked_at(user: User) -> None:
    pair = await db(sign_ins.begin, user=user, user_agent="test", address="127.0.0.1")
    guarded = SocketAuthentication(URLRouter(websocket_urlpatterns))
    socket = WebsocketCommunicator(guarded, f"/api/v1/chat/ws/{user.pk}?token={pair.access}")
    assert (await socket.connect(timeout=5))[0] is False


async def test_messages_count_against_the_limits_of_requests(socket: Socket, user: User, settings: Any) -> None:
    settings.RATE_LIMITS_USER = "2/minute"
    assert (await socket.ask("One"))["type"] == "ack"
    assert limits.take("person", limits.person(user.pk, "192.0.2.1")).allowed
    refused = await socket.ask("Three")
    assert (refused["code"], refused["retry_after"] > 0) == ("rate_limited", True)
    assert sum(map(len, ends.hub()._sinks.values())) == 1


async def test_what_is_asked_for_again_counts_too(socket: Socket, settings: Any) -> None:
    settings.RATE_LIMITS_USER = "2/minute"
    key = (await socket.ask())["conversation_id"]
    for code in (None, "rate_limited"):
        if code is None:
            await socket.send(type="stop", conversation_id=key)
            stopped = await socket.until("response")
        await socket.send(type="regenerate", message_id=stopped["message_id"])
        frame = await socket.until("response", "error")
        assert frame.get("code") == code
    assert (frame["message_id"], frame["retry_after"] > 0) == (stopped["message_id"], True)
    assert await db(Message.objects.filter(conversation_id=key, role="assistant").count) == 2
