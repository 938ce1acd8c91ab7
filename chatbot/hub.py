"""Running replies' text on its way from Redis to the sockets of a web process (the way there: `live`)."""

import asyncio
from collections import defaultdict
from collections.abc import Callable

import orjson
import structlog
from redis.exceptions import RedisError

from . import protocol
from .live import channel_of, connect
from .metrics import LIVE_FAILURES

log = structlog.get_logger(__name__)

Sink = Callable[[protocol.Frame], None]


class Hub:
    """This web process's sockets by the conversation they watch; one Redis subscriber for all of them."""

    def __init__(self) -> None:
        self.client = connect()
        # Its 2 s are for connecting: how long it waits for messages `_read` says.
        self._subscriber = connect(health_check_interval=10)
        self._pubsub = self._subscriber.pubsub(ignore_subscribe_messages=True)
        # Whether a channel of `_sinks` may not be subscribed to: the reader sees to it.
        self._incomplete = False
        self._sinks: dict[str, set[Sink]] = defaultdict(set)
        self._resync: set[Sink] = set()
        # redis-py's PubSub is not safe for concurrent (un)subscribing.
        self._lock = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None

    def attach(self, sink: Sink) -> None:
        """Register a socket to be told when live traffic may have been missed."""
        self._resync.add(sink)

    async def watch(self, conversation_id: str, sink: Sink) -> None:
        """Deliver the conversation's deltas to `sink` from when this returns, or from its `resync` when Redis is away."""
        self._sinks[conversation_id].add(sink)
        channel = channel_of(conversation_id)
        async with self._lock:
            if not self._incomplete and channel.encode() not in self._pubsub.channels:
                try:
                    await self._pubsub.subscribe(channel)
                except (RedisError, OSError):
                    LIVE_FAILURES.labels("subscribe").inc()
                    self._incomplete = True
            if self._reader is None or self._reader.done():
                self._reader = asyncio.create_task(self._read())

    def detach(self, sink: Sink, watched: set[str]) -> None:
        self._resync.discard(sink)
        for conversation_id in watched:
            self.unwatch(conversation_id, sink)

    def unwatch(self, conversation_id: str, sink: Sink) -> None:
        sinks = self._sinks.get(conversation_id)
        if sinks is not None:
            sinks.discard(sink)
            if not sinks:
                del self._sinks[conversation_id]

    def watchers(self, conversation_id: str) -> int:
        """How many sockets of this process watch a conversation."""
        return len(self._sinks.get(conversation_id, ()))

    async def aclose(self) -> None:
        """End the subscription; the process or its loop is about to end."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        await self._pubsub.aclose()  # type: ignore[no-untyped-call]
        await self._subscriber.aclose()
        await self.client.aclose()

    async def _read(self) -> None:
        while True:
            try:
                if self._incomplete:
                    await self._resubscribe()
                message = await self._pubsub.get_message(timeout=30)
                if message is not None:
                    self._deliver(message["data"])
            except (RedisError, OSError) as error:
                log.warning("live_subscription_lost", error=type(error).__name__)
                self._incomplete = True

    async def _resubscribe(self) -> None:
        """Reconnect until it works, then let every socket's client sync: deltas and events were lost meanwhile."""
        delay = 0.1
        while self._incomplete:
            try:
                async with self._lock:
                    channels = {channel_of(key) for key in self._sinks} or {channel_of("")}
                    await self._pubsub.aclose()  # type: ignore[no-untyped-call]
                    self._pubsub = self._subscriber.pubsub(ignore_subscribe_messages=True)
                    await self._pubsub.subscribe(*channels)
                    self._incomplete = False
            except (RedisError, OSError):
                LIVE_FAILURES.labels("subscribe").inc()
                await asyncio.sleep(delay)
                delay = min(delay * 2, 2.0)
        for sink in list(self._resync):
            sink({"type": "resync"})

    def _deliver(self, data: bytes) -> None:
        for row in orjson.loads(data):
            sinks = self._sinks.get(row[0])
            if sinks:
                frame = protocol.delta_frame(*row)
                for sink in list(sinks):
                    sink(frame)
