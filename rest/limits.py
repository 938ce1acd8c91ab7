"""One limiter for REST, Server-Sent Events and the socket's messages: moving windows in Redis, atomic across processes."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import structlog
from django.conf import settings
from django.http import HttpRequest
from limits import RateLimitItem, parse_many
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.retry import Retry

from .metrics import LIMITED, LIMITER_FAILURES

log = structlog.get_logger(__name__)

REDIS_SECONDS = 1
# Hosts get at least this much of an IPv6 address: who has one has them all.
IPV6_PREFIX = 64
Allowance = tuple[str, str]


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


# KEYS are lists of times, the latest first; ARGV says of each how many it may hold and for how many seconds. What does not fit
# into one of them is put into none. Answers whether it fits, and of each how many it held and the seconds until its oldest leaves.
TAKE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local fits, states = 1, {}
for i, key in ipairs(KEYS) do
    local amount, seconds = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local oldest = redis.call('LINDEX', key, -1)
    while oldest and oldest + seconds <= now do
        redis.call('RPOP', key)
        oldest = redis.call('LINDEX', key, -1)
    end
    local held = redis.call('LLEN', key)
    if held >= amount then fits = 0 end
    states[i] = {held, math.ceil((oldest or now) + seconds - now)}
end
if fits == 1 then
    for i, key in ipairs(KEYS) do
        redis.call('LPUSH', key, string.format('%.6f', now))
        redis.call('EXPIRE', key, ARGV[2 * i])
    end
end
return {fits, states}
"""


@cache
def _client(url: str) -> Redis:
    # A script that may have run is not sent again: a server that only stood still would count twice.
    again = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    return Redis.from_url(url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, retry=again)


@cache
def _parsed(rates: str) -> list[RateLimitItem]:
    return parse_many(rates) if rates else []


@dataclass(frozen=True)
class _Window:
    key: str
    amount: int
    seconds: int


def _windows(scope: str, allowances: Iterable[Allowance]) -> list[_Window]:
    return [
        _Window(f"limit:{scope}:{who}:{item.amount}/{item.get_expiry()}", item.amount, item.get_expiry())
        for rates, who in allowances
        for item in _parsed(rates)
    ]


def _verdict(windows: Sequence[_Window], fits: int, states: Sequence[tuple[int, int]]) -> Verdict:
    """Of those that refuse tell the one that does so longest, else the one with the least left."""
    told = [
        Verdict(bool(fits), window.amount, window.seconds, max(0, window.amount - held - fits), reset)
        for window, (held, reset) in zip(windows, states, strict=True)
    ]
    if fits:
        return min(told, key=lambda one: one.remaining)
    return max((one for one in told if not one.remaining), key=lambda one: one.reset)


def _ask(requests: Sequence[Sequence[_Window]]) -> list[Verdict]:
    pipe = _client(settings.REDIS_URL).pipeline(transaction=False)
    for windows in requests:
        sizes = [number for window in windows for number in (window.amount, window.seconds)]
        pipe.eval(TAKE, len(windows), *(window.key for window in windows), *sizes)
    return [_verdict(windows, *answer) for windows, answer in zip(requests, pipe.execute(), strict=True)]


def take_each(scope: str, requests: Sequence[Iterable[Allowance]], *, closed: bool = False) -> list[Verdict]:
    """Count each request against its (rates, who), such as ("60/minute;1000/hour", "user:1"): against all, or if one refuses none.

    Redis is asked once. Without it everything passes, but for `closed` limits, which raise LimiterUnavailable.
    """
    limited = [_windows(scope, allowances) for allowances in requests]
    try:
        asked = iter(_ask([windows for windows in limited if windows]))
        verdicts = [next(asked) if windows else Verdict(allowed=True) for windows in limited]
    except (RedisError, OSError) as error:
        LIMITER_FAILURES.labels(scope).inc()
        log.error("limiter_unavailable", scope=scope, error=type(error).__name__)
        if closed:
            raise LimiterUnavailable from error
        return [Verdict(allowed=True) for _ in requests]
    LIMITED.labels(scope).inc(sum(not verdict.allowed for verdict in verdicts))
    return verdicts


def take(scope: str, allowances: Iterable[Allowance], *, closed: bool = False) -> Verdict:
    """The same for one request."""
    (verdict,) = take_each(scope, [allowances], closed=closed)
    return verdict


def person(user_id: object, address: str) -> list[Allowance]:
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
