"""Django's PostgreSQL backend, with a look at a pooled connection's socket where Django asks the server at every use."""

import select
from functools import partial
from typing import Any, TypeAlias

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

Pool: TypeAlias = "ConnectionPool[psycopg.Connection[object]]"


def is_closed(connection: "psycopg.Connection[Any] | psycopg.AsyncConnection[Any]") -> bool:
    """Nothing is to be read from a connection at rest, unless the server has closed it."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def check(pool: "Pool", connection: "psycopg.Connection[object]") -> None:
    """Raises OperationalError for a connection that the server has closed."""
    if is_closed(connection):
        # The pool takes one that is still open for a good one, and throws out one at a time while it waits longer and longer.
        connection.close()
        pool.check()
        raise psycopg.OperationalError("the server closed the connection")


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> "Pool | None":
        pool: Pool | None = super().pool
        if pool is not None and pool._check is None:
            pool._check = partial(check, pool)
        return pool
