"""Redis as a help that may be away: what cannot be read is not there, what cannot be written is not kept."""

from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from redis.exceptions import RedisError


def get(key: str) -> Any:
    return _tried(cache.get, key)


def put(key: str, value: Any, seconds: float | None) -> None:
    _tried(cache.set, key, value, seconds)


def _tried(call: Callable[..., Any], *args: Any) -> Any:
    try:
        return call(*args)
    except (RedisError, OSError):
        return None
