"""Liveness, readiness with a status of its own for each thing that Parley needs, and metrics."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.crypto import constant_time_compare
from django_prometheus.exports import ExportToDjangoView
from redis.exceptions import RedisError

from accounts.authentication import bearer_of

from . import live as live_traffic
from . import runtime
from .providers import registry
from .providers.base import ProviderError

log = structlog.get_logger(__name__)

WORKER_TTL_SECONDS = 15
CHECK_SECONDS = 3
QUEUES = ("replies", "default")


def note_worker(eventer: Any) -> None:
    """Called at every heartbeat of a worker: its queue is served. The node's name begins with the queue's."""
    queue = str(getattr(eventer, "hostname", "") or socket.gethostname()).partition("@")[0]
    try:
        cache.set(f"worker:{queue}", time.time(), WORKER_TTL_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("heartbeat_not_stored", error=type(error).__name__)


def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus; where a token is set, only for who bears it."""
    held = bearer_of(request.headers.get("Authorization", "").encode())
    if settings.METRICS_TOKEN and not constant_time_compare(held or "", settings.METRICS_TOKEN):
        return HttpResponse(
            "Send METRICS_TOKEN as a bearer token.\n", "text/plain", 401, headers={"WWW-Authenticate": "Bearer"}
        )
    exported: HttpResponse = ExportToDjangoView(request)
    return exported


def live(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


async def _database() -> None:
    def ping() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")

    await runtime.db(ping)


async def _redis() -> None:
    client = live_traffic.connect()
    try:
        await client.ping()
    finally:
        await client.aclose()


async def _workers() -> None:
    missing = [queue for queue in QUEUES if await cache.aget(f"worker:{queue}") is None]
    if missing:
        raise RuntimeError(f"no worker serves: {', '.join(missing)}")


async def _provider() -> None:
    if settings.CHAT_PROVIDER == "local" or await cache.aget("provider:reachable"):
        return
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(registry.chat().ping(), runtime.loop()))
    await cache.aset("provider:reachable", True, 15)


CHECKS: dict[str, Callable[[], Awaitable[None]]] = {
    "database": _database,
    "redis": _redis,
    "workers": _workers,
    "provider": _provider,
}


async def _status(check: Callable[[], Awaitable[None]]) -> dict[str, Any]:
    started = time.monotonic()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check()
    except ProviderError as error:
        return {"status": "error", "reason": error.code}
    except RuntimeError as error:
        return {"status": "error", "reason": str(error)}
    except Exception as error:
        return {"status": "error", "reason": type(error).__name__}
    return {"status": "ok", "ms": round((time.monotonic() - started) * 1000, 1)}


async def ready(request: HttpRequest) -> JsonResponse:
    """200 when everything works, 503 when something does not; each check with its own status."""
    results = await asyncio.gather(*(_status(check) for check in CHECKS.values()))
    checks = dict(zip(CHECKS, results, strict=True))
    ok = all(check["status"] == "ok" for check in results)
    return JsonResponse({"status": "ok" if ok else "error", "checks": checks}, status=200 if ok else 503)
