"""Statements that the server keeps planned after some uses; behind PgBouncer they take 1.21 or newer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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
    """Statements that are sent together, and what is made of the rows of each: for a thread, or for an event loop (`runtime.ask`)."""

    statements: Sequence[Statement]
    read: Callable[..., T]

    def ask(self) -> T:
        """Raises django.db.Error."""
        with ExitStack() as stack:
            if len(self.statements) > 1:
                stack.enter_context(pipelined())
            cursors = [stack.enter_context(cursor()) for _ in self.statements]
            for one, statement in zip(cursors, self.statements, strict=True):
                one.execute(*statement)
            rows = [one.fetchall() for one in cursors]
        return self.read(*rows)
