"""What a process has one of."""

import threading
from collections.abc import Callable
from functools import cache
from typing import Generic, TypeVar

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801
    """A function without arguments whose result is made at the first call and kept.

    functools.cache makes it twice for two threads that come at the same time, as a worker's do when much waits for it.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._made = cache(make)
        self._lock = threading.RLock()

    def __call__(self) -> T:
        with self._lock:
            return self._made()

    def cache_clear(self) -> None:
        with self._lock:
            self._made.cache_clear()
