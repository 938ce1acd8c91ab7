"""Statements that the server keeps planned, and pipelines; behind PgBouncer the former take 1.21 or newer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper

T = TypeVar("T")
Statement = tuple[str, Mapping[str, Any]]


def cursor() -> CursorWrapper:
    """Django's own cursors put the values into the text.

    With its `server_side_binding` every statement would be prepared, and those with more than 65,535 values refused.
    """
    connection.ensure_connection()
    return connection._prepare_cursor(psycopg.Cursor(connection.connection))  # type: ignore[no-any-return, attr-defined]


@contextmanager
def pipelined() -> Iterator[None]:
    """Send statements without waiting for the answers of those before that nobody reads.

    An error comes with the next answer that is read, at the latest with the commit; how many rows an UPDATE met is not to be known.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


@dataclass(frozen=True)
class Query(Generic[T]):
    """Statements that are asked one after the other, each for itself, and what is made of their rows; on a loop by `runtime.ask`."""

    statements: Sequence[Statement]
    read: Callable[..., T]

    def ask(self) -> T:
        """Raises django.db.Error."""
        return self.read(*map(_rows, self.statements))


def _rows(statement: Statement) -> list[tuple[Any, ...]]:
    with cursor() as asking:
        asking.execute(*statement)
        return list(asking.fetchall())
