"""The worker's side of the broker."""

import socket
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import ConnectionError

from chatbot import events
from chatbot.celery import app
from chatbot.metrics import DISPATCH_FAILURES


def test_a_channel_without_its_transport_fails_like_a_lost_connection() -> None:
    """Found by `make faults`: workers ended when Valkey was killed while messages were unacknowledged."""
    with app.connection_for_read() as connection:
        channel = connection.channel()
        channel._disconnect_pools()  # type: ignore[attr-defined]
        connection.transport.client = None
        with pytest.raises(connection.connection_errors):
            _ = channel.pool  # type: ignore[attr-defined]
        connection.transport.client = connection


def test_what_cannot_be_put_back_is_left_to_the_sweeps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """kombu would write the messages into a file of the temporary folder."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with app.connection_for_read() as connection:
        channel: Any = connection.channel()
        message = channel.message_to_python(channel.prepare_message("{}", properties={"delivery_tag": "1"}))
        message.delivery_info = {"exchange": "", "routing_key": "default"}
        channel.qos.append(message, "1")
        with monkeypatch.context() as broken:
            broken.setattr(type(channel), "_put", lost)
            channel.close()
    assert list(tmp_path.iterdir()) == []


def lost(*args: object, **kwargs: object) -> None:
    raise ConnectionError("Connection refused.")


def test_one_client_publishes_everything_over_a_pool() -> None:
    with app.connection_for_write() as connection:
        channel: Any = connection.channel()
        with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
            assert first is second
        channel._disconnect_pools()
        with channel.conn_or_acquire() as third:
            assert third is not first
            assert third.ping()


def test_a_broker_that_stands_still_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by `make faults`: a web process did not end, because a batch of tasks waited for a paused Valkey."""
    monkeypatch.setattr(events, "_broker_away_until", 0.0)
    monkeypatch.setattr(events, "LONG_SECONDS", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as silent, Celery("silent", set_as_current=False) as other:
        other.config_from_object("django.conf:settings", namespace="CELERY")
        options = app.conf.broker_transport_options
        assert options["socket_timeout"] <= 2
        other.conf.update(
            broker_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0",
            broker_transport_options=options | {"socket_timeout": 0.05},
        )
        task = other.task(name="silent")(lost)
        failures = DISPATCH_FAILURES.labels("silent")._value
        events.dispatch(task, "one")
        asked = connections(silent)
        assert asked > 0
        events.dispatch(task, "two")
        assert connections(silent) == 0
        assert failures.get() == 2
        monkeypatch.setattr(events, "_broker_away_until", 0.0)
        events.dispatch(task, "three")
        assert connections(silent) > 0


def connections(server: socket.socket) -> int:
    """How many clients came since this was asked."""
    server.setblocking(False)
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_a_worker_that_starts_as_the_broker_goes_does_not_wait_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by a test that kills the supervisor: Celery's worker tried for ever to tell that it is here, asked to end or not."""
    waits = Counter[str]()

    def wait(*args: object, **kwargs: object) -> None:
        waits["for the broker"] += 1
        raise OperationalError

    with app.connection_for_write() as connection:
        dispatcher = app.events.Dispatcher(connection)
        with monkeypatch.context() as broken:
            broken.setattr(type(dispatcher.producer.channel), "basic_publish", lost)
            broken.setattr(connection, "_ensure_connection", wait)
            dispatcher.send("worker-online", retry=True)
        assert [routing_key for _event, routing_key in dispatcher._outbound_buffer] == ["worker.online"]
    assert not waits
