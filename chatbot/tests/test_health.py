from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from chatbot import health

pytestmark = pytest.mark.django_db(transaction=True)


class Eventer:
    def __init__(self, hostname: str) -> None:
        self.hostname = hostname


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    cache.clear()


def test_liveness_needs_nothing(client: Client) -> None:
    response = client.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_readiness_names_what_is_missing(client: Client) -> None:
    health.note_worker(Eventer("replies@host"))
    response = client.get("/health/ready")
    assert response.status_code == 503
    checks = response.json()["checks"]
    assert checks["workers"] == {"status": "error", "reason": "no worker serves: default"}
    assert [checks[name]["status"] for name in ("database", "redis", "provider")] == ["ok", "ok", "ok"]


def test_ready_when_everything_is_there(client: Client) -> None:
    for queue in health.QUEUES:
        health.note_worker(Eventer(f"{queue}@host"))
    assert client.get("/health/ready").status_code == 200


def test_metrics_are_exported(client: Client) -> None:
    assert b"parley_sockets" in client.get("/metrics").content


@pytest.mark.parametrize(
    ("sent", "status"), [(None, 401), ("Bearer other", 401), ("Basic right", 401), ("Bearer right", 200)]
)
def test_metrics_with_a_token_are_for_who_bears_it(
    client: Client, settings: Any, sent: str | None, status: int
) -> None:
    settings.METRICS_TOKEN = "right"
    response = client.get("/metrics", headers={} if sent is None else {"authorization": sent})
    assert response.status_code == status
    assert (b"parley_sockets" in response.content) == (status == 200)
