"""Early pytest plugin: PostgreSQL and Valkey run before Django's settings are read, and stop with the test run."""

import atexit
import os
import tempfile
from pathlib import Path

from .embedded import Services

_services: list[Services] = []


def _start() -> None:
    # Everybody may enter: PostgreSQL runs as another user when this is root.
    directory = Path(tempfile.mkdtemp(prefix="parley-test-"))
    directory.chmod(0o755)
    services = Services(directory, fast=True)
    services.start()
    _services.append(services)
    os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = str(services.database_url), str(services.redis_url)
    atexit.register(_stop)


def _stop() -> None:
    import shutil

    while _services:
        services = _services.pop()
        services.stop()
        shutil.rmtree(services.directory, ignore_errors=True)


os.environ.setdefault("SECRET_KEY", "tests-only")
os.environ["PARLEY_RUN"] = "1"
os.environ["PARLEY_HTTPS"] = "0"
os.environ["ALLOWED_HOSTS"] = "testserver,localhost,127.0.0.1"
os.environ["LOG_FORMAT"] = "json"
# Tests come from one address; those of the limits set their own.
os.environ["RATE_LIMITS_USER"] = os.environ["RATE_LIMITS_ADDRESS"] = os.environ["RATE_LIMITS_AUTH"] = "1000000/minute"
# Each process of pytest-xdist has servers of its own, not those that it inherits from the first.
if "PARLEY_TEST_SERVERS" in os.environ or not {"DATABASE_URL", "REDIS_URL"} <= os.environ.keys():
    os.environ["PARLEY_TEST_SERVERS"] = "1"
    _start()


def pytest_unconfigure() -> None:
    _stop()
