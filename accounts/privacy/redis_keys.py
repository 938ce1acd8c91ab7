"""Keys of Redis by name, for what must be forgotten there."""

import redis
from django.conf import settings


def naming(*texts: str) -> list[str]:
    """The keys that contain one of the texts."""
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [key.decode() for text in texts for key in client.scan_iter(f"*{text}*", count=1000)]


def delete(keys: list[str]) -> int:
    if not keys:
        return 0
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return int(client.delete(*keys))  # type: ignore[arg-type]
