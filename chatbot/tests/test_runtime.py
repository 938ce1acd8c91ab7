"""The background loop's own way to the database."""

import asyncio
import subprocess
import sys
import threading

import pytest
from django.db import DataError, OperationalError, connection

from chatbot import runtime
from rest.prepared import Query

from .backends import end_others

pytestmark = pytest.mark.django_db(transaction=True)

BACKEND: Query[int] = Query(
    [("SELECT pg_backend_pid() FROM pg_sleep(%(seconds)s)", {"seconds": 0.2})], lambda rows: int(rows[0][0])
)


async def together(count: int) -> set[int]:
    """The backends that answer so many at once."""
    async with asyncio.timeout(5):
        return set(await asyncio.gather(*(runtime.ask(BACKEND) for _ in range(count))))


def test_what_a_loop_asks_a_thread_can_ask_too() -> None:
    two = Query([("SELECT %(one)s::int", {"one": 1}), ("SELECT 2 UNION SELECT 3 ORDER BY 1", {})], lambda *rows: rows)
    assert two.ask() == ([(1,)], [(2,), (3,)])
    assert runtime.run(runtime.ask(two)) == two.ask()


async def test_another_loop_is_served_by_the_background_loop() -> None:
    where: Query[str] = Query([("SELECT 1", {})], lambda rows: threading.current_thread().name)
    assert await runtime.ask(where) == "replies-loop"


def test_times_are_read_in_utc_whatever_the_server_keeps() -> None:
    zone: Query[str] = Query([("SHOW TimeZone", {})], lambda rows: str(rows[0][0]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        name = cursor.fetchone()[0]
        cursor.execute(f"ALTER DATABASE {name} SET TimeZone = 'Europe/Berlin'")
    try:
        connection.close()
        end_others()
        assert runtime.run(runtime.ask(zone)) == "UTC"
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} RESET TimeZone")


LEAVES_A_TASK_BEHIND = """
import asyncio
from chatbot import runtime

async def begin():
    asyncio.create_task(wait())
    await asyncio.sleep(0)

async def wait():
    try:
        await asyncio.Event().wait()
    finally:
        print("ended in order")

runtime.run(begin())
"""


def test_the_loop_ends_before_the_process_does() -> None:
    ended = subprocess.run([sys.executable, "-c", LEAVES_A_TASK_BEHIND], capture_output=True, text=True, check=True)
    assert (ended.stdout, ended.stderr) == ("ended in order\n", "")


def test_errors_are_djangos_and_the_connection_stays() -> None:
    before = runtime.run(together(2 * runtime.CONNECTIONS))
    with pytest.raises(DataError):
        runtime.run(runtime.ask(Query([("SELECT 1 / %(zero)s", {"zero": 0})], len)))
    assert runtime.run(together(2 * runtime.CONNECTIONS)) == before


def test_connections_that_the_server_closed_are_replaced_at_once() -> None:
    before = runtime.run(together(2 * runtime.CONNECTIONS))
    assert len(before) == runtime.CONNECTIONS
    connection.close()
    end_others()
    assert not runtime.run(together(2 * runtime.CONNECTIONS)) & before


def test_who_gives_up_costs_no_connection() -> None:
    async def give_up() -> None:
        asking = [asyncio.create_task(runtime.ask(BACKEND)) for _ in range(3 * runtime.CONNECTIONS)]
        for number, one in enumerate(asking):
            asyncio.get_running_loop().call_later(0.01 * number, one.cancel)
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*asking[:3], return_exceptions=True)
        )
        await asyncio.gather(*asking, return_exceptions=True)

    runtime.run(give_up())
    assert len(runtime.run(together(2 * runtime.CONNECTIONS))) == runtime.CONNECTIONS


def test_who_waits_too_long_for_a_connection_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime._pool(), "timeout", 0.01)
    with pytest.raises(OperationalError):
        runtime.run(together(4 * runtime.CONNECTIONS))
