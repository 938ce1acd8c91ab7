"""One limiter for REST, Server-Sent Events and the socket's messages: moving windows in Redis, atomic across processes."""

import ipaddress
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil

import structlog
from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItem, parse_many
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from .metrics import LIMITED, LIMITER_FAILURES

log = structlog.get_logger(__name__)

REDIS_SECONDS = 1
# Hosts get at least this much of an IPv6 address: who has one has them all.
IPV6_PREFIX = 64


class LimiterUnavailable(Exception):
    """Redis does not answer, and this limit may not be left out."""


@dataclass(frozen=True)
class Verdict:
    """Whether a request may pass, with the state of the window that matters most to its sender."""

    allowed: bool
    limit: int = 0
    seconds: int = 0
    remaining: int = 0
    reset: int = 0

    @property
    def headers(self) -> dict[str, str]:
        if not self.limit:
            return {}
        return {
            "RateLimit-Policy": f"{self.limit};w={self.seconds}",
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


@cache
def _limiter(url: str) -> MovingWindowRateLimiter:
    storage = RedisStorage(url, key_prefix="limit", socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
    return MovingWindowRateLimiter(storage)


@cache
def _windows(rates: str) -> list[RateLimitItem]:
    """Shortest first: what a short window refuses takes nothing from a longer one."""
    return sorted(parse_many(rates), key=lambda item: item.get_expiry()) if rates else []


def _state(item: RateLimitItem, keys: tuple[str, ...], *, allowed: bool) -> Verdict:
    stats = _limiter(settings.REDIS_URL).get_window_stats(item, *keys)
    reset = max(1, ceil(stats.reset_time - time.time()))
    return Verdict(allowed, item.amount, item.get_expiry(), max(0, stats.remaining), reset)


def _take(scope: str, rates: str, who: str) -> Verdict:
    keys = (scope, who)
    windows = _windows(rates)
    for item in windows:
        if not _limiter(settings.REDIS_URL).hit(item, *keys):
            LIMITED.labels(scope).inc()
            return _state(item, keys, allowed=False)
    return _state(windows[0], keys, allowed=True) if windows else Verdict(allowed=True)


def take(scope: str, allowances: Iterable[tuple[str, str]], *, closed: bool = False) -> Verdict:
    """Count one request against each (rates, who), such as ("60/minute;1000/hour", "user:1"), until one refuses.

    Without Redis everything passes, but for `closed` limits, which raise LimiterUnavailable.
    """
    verdict = Verdict(allowed=True)
    try:
        for rates, who in allowances:
            taken = _take(scope, rates, who)
            if not taken.allowed:
                return taken
            verdict = min(verdict, taken, key=lambda one: (not one.limit, one.remaining))
    except (RedisError, OSError) as error:
        LIMITER_FAILURES.labels(scope).inc()
        log.error("limiter_unavailable", scope=scope, error=type(error).__name__)
        if closed:
            raise LimiterUnavailable from error
    return verdict


def person(user_id: object, address: str) -> list[tuple[str, str]]:
    """What one request of a person counts against; None is an anonymous one."""
    by_address = (settings.RATE_LIMITS_ADDRESS, f"address:{address}")
    return [by_address] if user_id is None else [(settings.RATE_LIMITS_USER, f"user:{user_id}"), by_address]


def address_of(remote: str, forwarded: str) -> str:
    """Where a request comes from: the address that the outermost trusted proxy saw. IPv6 counts by network."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    trusted = settings.TRUSTED_PROXIES
    seen = hops[-trusted] if 0 < trusted <= len(hops) else remote
    try:
        address = ipaddress.ip_address(seen)
    except ValueError:
        return seen[:64]
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, IPV6_PREFIX), strict=False).network_address)
    return str(address)


def client_address(request: HttpRequest) -> str:
    return address_of(request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_X_FORWARDED_FOR", ""))


def scope_address(scope: Mapping[str, object]) -> str:
    """The same for an ASGI scope, such as a socket's."""
    client, headers = scope.get("client"), scope.get("headers", [])
    forwarded = next((value for name, value in headers if name == b"x-forwarded-for"), b"")  # type: ignore[attr-defined]
    return address_of(str(client[0]) if client else "", forwarded.decode("latin1"))  # type: ignore[index]
