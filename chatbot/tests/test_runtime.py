"""The background loop's own way to the database."""

import pytest
from django.db import DataError, connection

from chatbot import runtime
from rest.prepared import Query

from .backends import end_others

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND: Query[int] = Query([("SELECT pg_backend_pid()", {})], lambda rows: int(rows[0][0]))


def backends() -> set[int]:
    """Those of all connections at rest."""
    return {runtime.run(runtime.ask(BACKEND)) for _ in range(2 * runtime.CONNECTIONS)}


def test_what_a_loop_asks_a_thread_can_ask_too() -> None:
    two = Query([("SELECT %(one)s::int", {"one": 1}), ("SELECT 2 UNION SELECT 3 ORDER BY 1", {})], lambda *rows: rows)
    assert two.ask() == ([(1,)], [(2,), (3,)])
    assert runtime.run(runtime.ask(two)) == two.ask()


async def test_another_loop_is_served_by_the_background_loop() -> None:
    assert await runtime.ask(Query([("SELECT 1", {})], list)) == [(1,)]


def test_errors_are_djangos_and_the_connection_stays() -> None:
    before = backends()
    with pytest.raises(DataError):
        runtime.run(runtime.ask(Query([("SELECT 1 / %(zero)s", {"zero": 0})], len)))
    assert backends() == before


def test_connections_that_the_server_closed_are_replaced_at_once() -> None:
    before = backends()
    connection.close()
    end_others()
    assert not backends() & before
