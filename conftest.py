from collections.abc import Iterator

import pytest
from django.contrib.auth.hashers import BCryptSHA256PasswordHasher
from django.db import connection
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session", autouse=True)
def end_other_sessions(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The test database can only be dropped when no thread of the code under test holds a connection to it."""
    yield
    with django_db_blocker.unblock():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


@pytest.fixture(scope="session", autouse=True)
def quick_hashes() -> None:
    """Slow hashes are the point of passwords, not of tests: the same hasher with as few rounds as it takes."""
    BCryptSHA256PasswordHasher.rounds = 4


@pytest.fixture(autouse=True)
def forget_models() -> None:
    """Every test has models of its own."""
    from chatbot.live_models import live_models
    from chatbot.question_vectors import question_vectors

    live_models.forget()
    question_vectors.forget()
