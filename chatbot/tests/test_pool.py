"""The pool of database connections."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from .backends import end_others

MANY = 8

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty_pool(transactional_db: None) -> Iterator[None]:
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    yield
    connection.close()


def backend(together: Barrier | None = None) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = int(cursor.fetchone()[0])
    if together is not None:
        together.wait(10)
    connection.close()
    return pid


def several() -> set[int]:
    """The backends of so many connections in use at once."""
    together = Barrier(MANY)
    with ThreadPoolExecutor(MANY) as threads:
        return set(threads.map(backend, [together] * MANY))


def test_connections_that_the_server_closed_are_replaced_at_once() -> None:
    before = several()
    assert len(before) == MANY
    end_others()
    assert backend() not in before
    assert not several() & before


def test_connections_at_rest_are_used_again() -> None:
    assert len({backend() for _ in range(20)}) == 1
