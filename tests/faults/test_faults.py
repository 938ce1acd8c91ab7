"""What the protocol promises while processes die: nothing lost, nothing twice, every reply ends (docs/protocol.md)."""

import asyncio
import random
import threading
from collections import Counter

import pytest
import redis

from benchmarks.live import bench
from tests.client import ChatClient, new_guest
from tests.system import LiveSystem

from .driver import PROCESSES, drive
from .verdict import ACTIVE, answered_once, logs_of
from .visitors import answered, transcript

LONG = "Tell me everything [[fake: tokens={tokens} interval=0.02]]"


def assert_equal_to_the_database(system: LiveSystem, *clients: ChatClient) -> None:
    """Every client holds exactly the stored transcript, each question has one ended reply, and the last number is that of a message."""
    conversation_id = clients[0].conversation_id
    assert conversation_id is not None
    log = logs_of(system, conversation_id)[conversation_id]
    for client in clients:
        assert transcript(client) == {row.message_id: (row.status, row.content) for row in log}
    assert answered_once(log)
    assert not [row for row in log if row.status in ACTIVE]
    last, highest = system.rows(
        "SELECT c.last_seq, max(m.seq) FROM conversations_conversation c JOIN conversations_message m ON m.conversation_id = c.id "
        "WHERE c.id = %s GROUP BY c.id",
        conversation_id,
    )[0]
    assert last == highest


async def test_two_tabs_in_two_conversations_end_each_with_its_own(faulty_system: LiveSystem) -> None:
    """One socket carries all of a visitor's conversations."""
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as one, ChatClient(visitor) as two:
        await asyncio.gather(one.ask(LONG.format(tokens=20)), two.ask(LONG.format(tokens=20)))
        for tab in (one, two):
            await tab.until(tab.answered)
            assert_equal_to_the_database(faulty_system, tab)
        assert one.conversation_id != two.conversation_id


async def test_clients_cut_twenty_times_end_with_the_stored_text(faulty_system: LiveSystem) -> None:
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as one:
        await one.ask(LONG.format(tokens=300))
        await one.until(lambda: one.conversation_id is not None)
        async with ChatClient(visitor, conversation_id=one.conversation_id) as two:
            chance = random.Random(7)
            for _ in range(20):
                seen = len(one.frames)
                await one.until(lambda seen=seen: len(one.frames) > seen + chance.randrange(1, 5) or one.answered())
                await asyncio.gather(one.cut(), two.cut())
            await asyncio.gather(one.until(one.answered), two.until(two.answered))
            assert len(one.replies()) == 1
            assert one.replies()[0]["status"] == "sent"
            assert_equal_to_the_database(faulty_system, one, two)


async def test_killed_replies_worker_is_replaced_within_20_seconds(faulty_system: LiveSystem) -> None:
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as client:
        await client.ask(LONG.format(tokens=200))
        await client.until(lambda: any(text for _attempt, text in client.running.values()))
        # Which of the two holds the reply is its own affair: both go, one comes back.
        faulty_system.kill("replies1")
        faulty_system.kill("replies2")
        faulty_system.start("replies1")
        try:
            await client.until(client.answered, seconds=20)
        finally:
            faulty_system.start("replies2")
        reply = client.replies()[0]
        assert (reply["status"], reply["attempt"]) == ("sent", 2)
        assert len(client.replies()) == 1
        assert_equal_to_the_database(faulty_system, client)


async def test_one_of_two_workers_dies_and_the_other_takes_over(faulty_system: LiveSystem) -> None:
    """Both workers stream; killing one restarts only its replies, within 20 s, once each."""
    workers = ("replies1", "replies2")

    def both_take_tasks() -> bool:
        return all(faulty_system.replies_of(name) is not None for name in workers)

    await asyncio.to_thread(faulty_system.wait, both_take_tasks, "both workers to take tasks")
    visitors = [await new_guest(faulty_system.url) for _ in range(6)]
    clients = [await ChatClient(visitor).__aenter__() for visitor in visitors]
    try:
        for client in clients:
            await client.ask(LONG.format(tokens=200))
            await client.until(lambda client=client: any(text for _attempt, text in client.running.values()))
        held = [faulty_system.replies_of(name) or set() for name in workers]
        assert all(held)
        faulty_system.kill("replies2")
        await asyncio.gather(*(client.until(client.answered, seconds=20) for client in clients))
        ended = {reply["message_id"]: (reply["status"], reply["attempt"]) for c in clients for reply in c.replies()}
        assert ended == dict.fromkeys(held[0], ("sent", 1)) | dict.fromkeys(held[1], ("sent", 2))
        for client in clients:
            assert_equal_to_the_database(faulty_system, client)
    finally:
        faulty_system.start("replies2")
        for client in clients:
            await client.__aexit__()


async def test_killed_web_process_loses_no_answer(faulty_system: LiveSystem) -> None:
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as client:
        await client.ask(LONG.format(tokens=100))
        await client.until(lambda: any(text for _attempt, text in client.running.values()))
        faulty_system.kill("web")
        conversation_id = client.conversation_id
        assert conversation_id is not None
        await asyncio.to_thread(
            faulty_system.wait,
            lambda: logs_of(faulty_system, conversation_id)[conversation_id][1].status == "sent",
            "the answer in the database",
            20,
        )
        faulty_system.start("web")
        await client.until(client.answered)
        assert client.replies()[0]["attempt"] == 1
        assert_equal_to_the_database(faulty_system, client)


async def test_web_ends_when_asked_while_requests_run(faulty_system: LiveSystem) -> None:
    """Found by the test below: threads of running requests waited for ever for a loop that had stopped."""
    answers, over = Counter[int](), threading.Event()

    def ask(number: int) -> None:
        while not over.is_set() and faulty_system.get("/health/ready"):
            answers[number] += 1

    async with ChatClient(await new_guest(faulty_system.url)) as client:
        await client.ask("Hello there [[fake: tokens=2]]")
        await client.until(client.answered)
        askers = [threading.Thread(target=ask, args=[number]) for number in range(6)]
        for asker in askers:
            asker.start()
        try:
            await asyncio.to_thread(faulty_system.wait, lambda: len(answers) == len(askers), "answers to all")
            faulty_system.processes["web"].terminate()
            assert await asyncio.to_thread(faulty_system.processes["web"].wait, 15) == 0, faulty_system.log("web")
        finally:
            over.set()
            faulty_system.kill("web")
            faulty_system.start("web")
        for asker in askers:
            asker.join()
        await client.ask("Hello again [[fake: tokens=2]]")
        await client.until(lambda: client.answered(2))
        assert_equal_to_the_database(faulty_system, client)


async def test_flushed_valkey_mid_answer(faulty_system: LiveSystem) -> None:
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as client:
        await client.ask(LONG.format(tokens=150))
        await client.until(lambda: any(text for _attempt, text in client.running.values()))
        with redis.Redis.from_url(faulty_system.redis_url) as valkey:
            valkey.flushdb()
        await client.cut()
        await client.until(client.answered)
        assert client.replies()[0]["status"] == "sent"
        assert_equal_to_the_database(faulty_system, client)
        await client.ask("And again [[fake: tokens=5]]")
        await client.until(lambda: client.answered(2))


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("status=429 times=1", "sent", None),
        ("status=429", "failed", "provider_unavailable"),
        ("status=500", "failed", "provider_unavailable"),
        ("refuse=1", "failed", "provider_unavailable"),
        ("status=401", "failed", "provider_rejected"),
        ("stall=0", "failed", "provider_unavailable"),
        ("stall=5", "failed", "provider_interrupted"),
        ("cut=5", "failed", "provider_interrupted"),
        ("invalid=5", "failed", "provider_interrupted"),
        ("empty=1", "failed", "provider_empty"),
    ],
)
async def test_provider_faults_end_in_the_documented_state(
    faulty_system: LiveSystem, fault: str, status: str, code: str | None
) -> None:
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as client:
        await client.ask(f"What about {random.random()}? [[fake: {fault}]]")
        await client.until(client.answered, seconds=40)
        reply = client.replies()[0]
        assert reply["status"] == status
        assert (reply["error"] or {}).get("code") == code
        assert reply["content"].strip()
        assert_equal_to_the_database(faulty_system, client)


async def test_a_thousand_messages_sent_twice_are_stored_once(faulty_system: LiveSystem) -> None:
    """`client_id` twice each, through two sockets, paced by the server's own `rate_limited`."""
    visitor = await new_guest(faulty_system.url)
    async with ChatClient(visitor) as one:
        asked = [await one.ask("first [[fake: tokens=2]]")]
        await one.until(lambda: one.conversation_id is not None)
        async with ChatClient(visitor, conversation_id=one.conversation_id) as two:
            for number in range(999):
                asked.append(await one.ask(f"message {number} [[fake: tokens=2]]"))
                await two.send(one.unacknowledged[asked[-1]])
                await one.until(lambda: len(one.unacknowledged) < 50)
            await one.until(lambda: not one.unacknowledged)
            # An `ack` may come before the last answer is known of, and the other socket may be behind by as much as its server is.
            await one.until(lambda: answered(one, asked), 60)
            await two.until(lambda: answered(two, asked), 60)
            assert_equal_to_the_database(faulty_system, one, two)
            rows = faulty_system.rows(
                "SELECT count(*), count(DISTINCT client_id), count(DISTINCT seq) FROM conversations_message "
                "WHERE conversation_id = %s AND role = 'user'",
                one.conversation_id,
            )
            assert rows == [(1000, 1000, 1000)]
            assert one.duplicates + two.duplicates >= 999


async def test_everything_fails_once_under_load() -> None:
    """The short form of `make faults`: each fault once, with servers of its own that may be killed."""
    with bench(*PROCESSES, SOCKET_FRAMES_PER_SECOND="500", REPLY_STALL_SECONDS="5") as b:
        run = await drive(b, clients=12, seconds=60, gap=(0.2, 0.6), pause=1, each_once=True)
    assert set(run.faults.done) == set(run.faults.all)
    assert run.endings["sent"] >= 12
    assert {kind: found for kind, found in run.violations.items() if found} == {}
