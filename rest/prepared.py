"""Statements that the server keeps planned after some uses; behind PgBouncer they take 1.21 or newer."""

import psycopg
from django.db import connection
from django.db.backends.utils import CursorWrapper


def cursor() -> CursorWrapper:
    """Django's own cursors put the values into the text.

    With its `server_side_binding` every statement would be prepared, and those with more than 65,535 values refused.
    """
    connection.ensure_connection()
    return connection._prepare_cursor(psycopg.Cursor(connection.connection))  # type: ignore[no-any-return, attr-defined]
