"""The worker's side of the broker."""

import pytest

from chatbot.celery import app


def test_a_channel_without_its_transport_fails_like_a_lost_connection() -> None:
    """Found by `make faults`: workers ended when Valkey was killed while messages were unacknowledged."""
    with app.connection_for_read() as connection:
        channel = connection.channel()
        channel._disconnect_pools()  # type: ignore[attr-defined]
        connection.transport.client = None
        with pytest.raises(connection.connection_errors):
            _ = channel.pool  # type: ignore[attr-defined]
        connection.transport.client = connection
