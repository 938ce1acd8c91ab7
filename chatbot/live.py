"""Running replies' text on its way to the sockets: plain Redis pub/sub, beside the log and never instead of it.

A worker gathers the deltas of all its replies and publishes once per tick and shard (`Publisher`); a web process hands each to the
sockets that watch its conversation (`hub`). The text so far is kept in Redis under the reply's attempt, for snapshots. Everything here
may be lost at any time: clients notice by offset and sync.
"""

import asyncio
import contextlib
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import redis.asyncio
import structlog
from django.conf import settings
from redis.exceptions import RedisError

from . import protocol
from .metrics import LIVE_FAILURES

log = structlog.get_logger(__name__)

SHARDS = 16
TICK_SECONDS = 0.02
# Ticks stretch under load, so that a worker does not send more deltas than this; to no more than can be read along.
DELTAS_PER_SECOND = 1000
LONGEST_TICK_SECONDS = 0.1
# After a failure that took longer than LONG_SECONDS nothing is published for AWAY_SECONDS.
LONG_SECONDS = 1
AWAY_SECONDS = 2
SNAPSHOT_TTL_SECONDS = 600
CONTROL = "live:control"


def connect(**options: Any) -> "redis.asyncio.Redis":
    """A client for the running event loop. Commands give up after 2 s."""
    options = settings.REDIS_GONE | {"socket_timeout": 2, "socket_connect_timeout": 2} | options
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, **options)


def channel_of(conversation_id: str) -> str:
    return f"live:{zlib.crc32(conversation_id.encode()) % SHARDS}"


def tick_seconds(replies: int) -> float:
    """The time until the next batch after one with the deltas of so many replies."""
    return min(max(TICK_SECONDS, replies / DELTAS_PER_SECOND), LONGEST_TICK_SECONDS)


def snapshot_key(message_id: str, attempt: int) -> str:
    return f"live:text:{message_id}:{attempt}"


async def read_snapshot(client: "redis.asyncio.Redis", message_id: str, attempt: int) -> str | None:
    """The text so far of a running reply, None when Redis does not hold it (just now)."""
    try:
        text = await client.get(snapshot_key(message_id, attempt))
    except RedisError:
        LIVE_FAILURES.labels("snapshot").inc()
        return None
    return text.decode(errors="ignore") if isinstance(text, bytes) else None


@dataclass(eq=False)
class Stream:
    """One attempt of a reply while it is written by this process."""

    conversation_id: str
    message_id: str
    attempt: int
    text: str = ""
    sent_units: int = 0
    sent_bytes: int = 0
    pending: list[str] = field(default_factory=list)

    def take(self) -> tuple[list[Any], bytes]:
        """What is pending as a delta row, and as bytes for the snapshot."""
        piece = "".join(self.pending)
        self.pending.clear()
        row = [self.conversation_id, self.message_id, self.attempt, self.sent_units, piece]
        self.sent_units += protocol.utf16_length(piece)
        return row, piece.encode()


class Publisher:
    """Batches the deltas of every reply of this process; one per event loop.

    No reply waits for a Redis that stands still: what is not sent within LONGEST_TICK_SECONDS is sent while it goes on.
    """

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self.client = client
        self._dirty: set[Stream] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._next_tick = asyncio.Event()
        self._waiting = 0
        # One batch at a time: two connections of the pool could overtake each other.
        self._lock = asyncio.Lock()
        self._away_until = 0.0

    async def add(self, stream: Stream, piece: str) -> None:
        """Append to a reply's text. The first piece leaves at once, later ones with the next tick."""
        first = not stream.text
        stream.text += piece
        stream.pending.append(piece)
        if first:
            await self._publish([stream])
            if not stream.pending:
                return
        self._dirty.add(stream)
        self._start_ticker()

    async def tick(self) -> None:
        """Wait until the next batch is about to leave: what is added right then goes with it.

        A writer that reads at ticks reads all that came meanwhile at once.
        """
        self._start_ticker()
        self._waiting += 1
        try:
            await self._next_tick.wait()
        finally:
            self._waiting -= 1

    async def drain(self, stream: Stream) -> None:
        """Send what is pending of one reply now."""
        self._dirty.discard(stream)
        await self._publish([stream])

    def _start_ticker(self) -> None:
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.create_task(self._tick())

    async def _tick(self) -> None:
        batch, last = 0, None
        while self._dirty or self._waiting:
            await asyncio.sleep(tick_seconds(batch))
            self._next_tick.set()
            self._next_tick = asyncio.Event()
            # Whoever waited for the tick runs before this goes on.
            await asyncio.sleep(0)
            batch = len(self._dirty)
            if batch and (last is None or last.done()):
                last = await self._publish(list(self._dirty))

    async def _publish(self, streams: list[Stream]) -> "asyncio.Task[None]":
        publishing = asyncio.create_task(self._publish_in_turn(streams))
        await asyncio.wait({publishing}, timeout=LONGEST_TICK_SECONDS)
        return publishing

    async def _publish_in_turn(self, streams: list[Stream]) -> None:
        async with self._lock:
            if time.monotonic() >= self._away_until:
                self._dirty.difference_update(streams)
                await self._publish_batch([stream for stream in streams if stream.pending])

    async def _publish_batch(self, streams: list[Stream]) -> None:
        if not streams:
            return
        shards: dict[str, list[Any]] = defaultdict(list)
        pipe = self.client.pipeline(transaction=False)
        for stream in streams:
            row, data = stream.take()
            shards[channel_of(stream.conversation_id)].append(row)
            key = snapshot_key(stream.message_id, stream.attempt)
            pipe.append(key, data)
            stream.sent_bytes += len(data)
            if stream.sent_bytes == len(data):
                pipe.expire(key, SNAPSHOT_TTL_SECONDS)
        appended = len(pipe.command_stack)
        for channel, rows in shards.items():
            pipe.publish(channel, orjson.dumps(rows))
        began = time.monotonic()
        try:
            results = await pipe.execute()
        except (RedisError, OSError) as error:
            failed = time.monotonic()
            if failed - began > LONG_SECONDS:
                self._away_until = failed + AWAY_SECONDS
            LIVE_FAILURES.labels("publish").inc()
            log.warning("live_publish_failed", error=type(error).__name__)
            # The lengths that the next batch is answered with tell what is to be repaired.
            return
        # EXPIRE answers a boolean, APPEND the new length.
        await self._repair(streams, [result for result in results[:appended] if not isinstance(result, bool)])

    async def _repair(self, streams: list[Stream], lengths: list[Any]) -> None:
        """Write a snapshot whole where Redis holds another length than we sent: it was flushed, restarted or out of reach."""
        wrong = [stream for stream, length in zip(streams, lengths, strict=True) if length != stream.sent_bytes]
        if not wrong:
            return
        pipe = self.client.pipeline(transaction=False)
        for stream in wrong:
            text = stream.text.encode()[: stream.sent_bytes]
            pipe.set(snapshot_key(stream.message_id, stream.attempt), text, ex=SNAPSHOT_TTL_SECONDS)
        with contextlib.suppress(RedisError, OSError):
            await pipe.execute()


async def request_stop(message_id: str) -> None:
    """Tell the workers that a reply should end; best effort, the lease's heartbeat finds it too."""
    client = connect()
    try:
        await client.publish(CONTROL, message_id)
    except RedisError:
        LIVE_FAILURES.labels("control").inc()
    finally:
        await client.aclose()


async def listen_for_stops(on_stop: Callable[[str], None]) -> None:
    """Run for a worker's lifetime: call `on_stop` with each reply that somebody wants to end."""
    while True:
        client = connect(socket_timeout=None, health_check_interval=10)
        try:
            async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
                await pubsub.subscribe(CONTROL)
                async for message in pubsub.listen():
                    on_stop(message["data"].decode())
        except (RedisError, OSError):
            LIVE_FAILURES.labels("control").inc()
            await asyncio.sleep(0.5)
        finally:
            await client.aclose()
