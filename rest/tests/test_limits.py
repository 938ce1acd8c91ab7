"""The limiter: exact under concurrency from several processes, and what happens without Redis."""

import multiprocessing
import socket
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from rest import limits
from rest.metrics import LIMITER_FAILURES

PROCESSES, EACH = 4, 50


def _hammer(redis_url: str, who: str) -> int:
    """In a process of its own: how many of `EACH` concurrent requests pass."""
    from django.conf import settings

    settings.REDIS_URL = redis_url
    with ThreadPoolExecutor(EACH) as pool:
        verdicts = list(pool.map(lambda _: limits.take("test", [("60/minute", who)]).allowed, range(EACH)))
    return sum(verdicts)


def test_of_200_concurrent_requests_from_4_processes_exactly_60_pass(settings: Any) -> None:
    who = f"user:{uuid4()}"
    # Its processes end by themselves: a signal would meet the handlers that they have from this one.
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
        passed = pool.map(_hammer, [settings.REDIS_URL] * PROCESSES, [who] * PROCESSES)
    assert sum(passed) == 60


def test_what_a_short_window_refuses_takes_nothing_from_a_longer_one() -> None:
    who = f"user:{uuid4()}"
    assert [limits.take("test", [("3/hour;2/minute", who)]).allowed for _ in range(4)] == [True, True, False, False]
    assert limits.take("test", [("3/hour", who)]).allowed
    assert not limits.take("test", [("3/hour", who)]).allowed


def test_what_one_identity_refuses_takes_nothing_from_the_other() -> None:
    first, second = f"user:{uuid4()}", f"address:{uuid4()}"
    assert limits.take("test", [("1/minute", second)]).allowed
    assert not limits.take("test", [("2/minute", first), ("1/minute", second)]).allowed
    assert limits.take("test", [("2/minute", first)]).remaining == 1


def test_several_requests_are_counted_one_after_the_other() -> None:
    allowance = ("2/minute", f"user:{uuid4()}")
    verdicts = limits.take_each("test", [[allowance], [allowance], [("", "user:1")], [allowance]])
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert limits.take_each("test", []) == []


def test_the_window_that_refuses_longest_is_told() -> None:
    who = f"user:{uuid4()}"
    assert limits.take("test", [("1/minute;1/hour", who)]).allowed
    verdict = limits.take("test", [("1/minute;1/hour", who)])
    assert (verdict.allowed, verdict.seconds, verdict.remaining) == (False, 3600, 0)
    assert verdict.reset > 60


def test_a_window_moves_on(settings: Any) -> None:
    """What left the window is forgotten, by the times that are kept in Redis."""
    who = f"user:{uuid4()}"
    assert limits.take("test", [("2/minute", who)]).allowed
    assert limits.take("test", [("2/minute", who)]).allowed
    with Redis.from_url(settings.REDIS_URL) as client:
        key = f"limit:test:{who}:2/60"
        client.lset(key, 1, f"{float(client.lindex(key, 1)) - 60:.6f}")
    assert [limits.take("test", [("2/minute", who)]).allowed for _ in range(2)] == [True, False]


def test_the_tightest_of_several_identities_is_told() -> None:
    first, second = f"user:{uuid4()}", f"address:{uuid4()}"
    verdict = limits.take("test", [("9/minute", first), ("5/minute", second)])
    assert verdict.headers == {
        "RateLimit-Policy": "5;w=60",
        "RateLimit-Limit": "5",
        "RateLimit-Remaining": "4",
        "RateLimit-Reset": "60",
    }


def test_without_limits_nothing_is_counted_or_told() -> None:
    verdict = limits.take("test", [("", "user:1")])
    assert (verdict.allowed, verdict.headers) == (True, {})


@pytest.fixture
def gone(settings: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        settings.REDIS_URL = f"redis://127.0.0.1:{probe.getsockname()[1]}/0"


def test_without_redis_requests_pass_and_an_alert_counts_it(gone: None) -> None:
    before = LIMITER_FAILURES.labels("test")._value.get()
    assert limits.take("test", [("1/minute", "user:1")]).allowed
    assert LIMITER_FAILURES.labels("test")._value.get() == before + 1


def test_without_redis_closed_limits_let_nobody_through(gone: None) -> None:
    with pytest.raises(limits.LimiterUnavailable):
        limits.take("test", [("1/minute", "user:1")], closed=True)


@pytest.mark.parametrize(
    ("trusted", "remote", "forwarded", "address"),
    [
        (0, "10.0.0.1", "203.0.113.9", "10.0.0.1"),
        (1, "10.0.0.1", "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "10.0.0.1", "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "10.0.0.1", "203.0.113.9", "10.0.0.1"),
        (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::"),
        (0, "::ffff:203.0.113.9", "", "203.0.113.9"),
        (1, "10.0.0.1", "x" * 100, "x" * 64),
    ],
)
def test_the_address_is_what_the_outermost_trusted_proxy_saw(
    settings: Any, trusted: int, remote: str, forwarded: str, address: str
) -> None:
    settings.TRUSTED_PROXIES = trusted
    assert limits.address_of(remote, forwarded) == address


def test_a_request_over_the_limit_gets_429_with_its_headers(user: User, settings: Any) -> None:
    settings.RATE_LIMITS_USER, settings.RATE_LIMITS_ADDRESS = "2/minute", "1000/minute"
    client = APIClient()
    client.force_login(user)
    first, second, third = (client.get("/api/v1/me") for _ in range(3))
    assert [response.status_code for response in (first, second, third)] == [200, 200, 429]
    assert [response["RateLimit-Remaining"] for response in (first, second, third)] == ["1", "0", "0"]
    assert third["RateLimit-Policy"] == "2;w=60"
    assert 1 <= int(third["Retry-After"]) <= 60
    assert third.json()["code"] == "rate_limited"
