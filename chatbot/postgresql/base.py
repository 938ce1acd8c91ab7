"""Django's PostgreSQL backend, with a look at a pooled connection's socket where Django asks the server at every use."""

import select

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool


def check(connection: "psycopg.Connection[object]") -> None:
    """Nothing is to be read from a connection at rest, unless the server has closed it. Raises OperationalError."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if poll.poll(0):
        # The pool takes one that is still open for a good one.
        connection.close()
        raise psycopg.OperationalError("the server closed the connection")


class DatabaseWrapper(base.DatabaseWrapper):
    @property
    def pool(self) -> "ConnectionPool[psycopg.Connection[object]] | None":
        pool: ConnectionPool[psycopg.Connection[object]] | None = super().pool
        if pool is not None:
            pool._check = check
        return pool
