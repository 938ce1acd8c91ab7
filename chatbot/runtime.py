"""The one asyncio loop of a worker process, where every reply and every provider call of that process runs.

Hundreds of streams share the loop and one HTTP connection pool; a Celery thread only waits for its coroutine.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import cache
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connection

T = TypeVar("T")
P = ParamSpec("P")


@cache
def loop() -> asyncio.AbstractEventLoop:
    """This process's background loop, started at its first use."""
    new = asyncio.new_event_loop()
    threading.Thread(target=new.run_forever, name="replies-loop", daemon=True).start()
    return new


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the loop from another thread and wait. Raises what the coroutine raises."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop()).result()


_calling_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("calling_loop", default=None)


def soon(coroutine: Coroutine[Any, Any, None]) -> None:
    """Let a coroutine run on the loop that waits for this thread (see `db`), else on this process's own. Nobody waits for it."""
    asyncio.run_coroutine_threadsafe(coroutine, _calling_loop.get() or loop())


async def db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM from the loop; its connection goes back to the pool at once."""
    calling = asyncio.get_running_loop()

    def call() -> T:
        token = _calling_loop.set(calling)
        try:
            return function(*args, **kwargs)
        finally:
            _calling_loop.reset(token)
            connection.close()

    return await sync_to_async(call, thread_sensitive=False)()
