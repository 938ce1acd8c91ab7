"""The pool of database connections."""

import psycopg
import pytest
from django.db import connection

from deploy.tests.processes import until


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_replaced() -> None:
    ours = backend()
    connection.close()
    # The pool may hold others: all but the last one in use are ended.
    parameters = connection.get_connection_params()  # type: ignore[attr-defined]
    parameters = {name: parameters[name] for name in ("dbname", "user", "host", "port") if name in parameters}
    with psycopg.connect(**parameters, autocommit=True) as other:
        ended = "pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'"
        other.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ended}")  # type: ignore[call-overload]
        count = f"SELECT count(*) FROM pg_stat_activity WHERE {ended}"
        until(lambda: other.execute(count).fetchone() == (0,), "the backends to end")  # type: ignore[call-overload]
    assert backend() != ours


@pytest.mark.django_db(transaction=True)
def test_connections_at_rest_are_used_again() -> None:
    used = set()
    for _ in range(50):
        used.add(backend())
        connection.close()
    assert len(used) <= 10
