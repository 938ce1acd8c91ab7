"""What a PostgreSQL does that ends connections."""

import psycopg
from django.db import connection

from deploy.tests.processes import until

OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"


def end_others() -> None:
    """End every connection to the test database, and wait until they are gone."""
    parameters = connection.get_connection_params()  # type: ignore[attr-defined]
    parameters = {name: parameters[name] for name in ("dbname", "user", "host", "port") if name in parameters}
    with psycopg.connect(**parameters, autocommit=True) as other:
        other.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")  # type: ignore[call-overload]
        left = f"SELECT count(*) {OTHERS} AND backend_type = 'client backend'"
        until(lambda: other.execute(left).fetchone() == (0,), "the backends to end")  # type: ignore[call-overload]
