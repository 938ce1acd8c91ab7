"""The one asyncio loop of a worker process, where every reply and every provider call of that process runs.

Hundreds of streams share the loop and one HTTP connection pool; a Celery thread only waits for its coroutine.
"""

import asyncio
import atexit
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import Context, ContextVar
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

import psycopg
import uvloop
from asgiref.current_thread_executor import CurrentThreadExecutor
from asgiref.sync import sync_to_async
from django.db import connection
from django.db.utils import DatabaseErrorWrapper
from psycopg_pool import AsyncConnectionPool

from rest.prepared import Query

from .once import once
from .postgresql.base import is_closed

T = TypeVar("T")
P = ParamSpec("P")
# Of the background loop; each is in use for a millisecond or two at a time.
CONNECTIONS = 4
# Less than a reply's lease, which is counted from when its claim is asked for.
WAIT_SECONDS = 4
END_SECONDS = 5


@once
def loop() -> asyncio.AbstractEventLoop:
    """This process's background loop, started at its first use."""
    new = uvloop.new_event_loop()
    thread = threading.Thread(target=new.run_forever, name="replies-loop", daemon=True)
    thread.start()
    atexit.register(_end, new, thread)
    return new


def _end(ended: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
    """A loop that runs on while Python takes itself apart crashes the process at its end."""
    with contextlib.suppress(TimeoutError):
        asyncio.run_coroutine_threadsafe(cancel_others(END_SECONDS), ended).result(2 * END_SECONDS)
    ended.call_soon_threadsafe(ended.stop)
    thread.join(END_SECONDS)


async def cancel_others(seconds: float) -> None:
    """Cancel everything else on the running loop, as `asyncio.run` does at its end; what takes longer than this is left."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in others:
                    task.cancel()
                await asyncio.wait(others)


def start(coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
    """Run on the loop from another thread, which goes on meanwhile."""
    return asyncio.run_coroutine_threadsafe(coroutine, loop())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the loop from another thread and wait. Raises what the coroutine raises."""
    return start(coroutine).result()


_calling_loop: ContextVar[asyncio.AbstractEventLoop | None] = ContextVar("calling_loop", default=None)


def soon(coroutine: Coroutine[Any, Any, None]) -> None:
    """Let a coroutine run on the loop that waits for this thread (see `db`), else on this process's own. Nobody waits for it."""
    asyncio.run_coroutine_threadsafe(coroutine, _calling_loop.get() or loop())


# The thread that made the calls of `db` its own (see `run_here`).
_here: ContextVar[CurrentThreadExecutor | None] = ContextVar("here", default=None)


def run_here(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on the loop and wait, but let what it calls through `db` run here: in this thread's open transaction.

    So the code that answers visitors can be asked about a change before anybody else sees it. Raises what the coroutine raises.
    """
    executor = CurrentThreadExecutor(None)

    async def from_here() -> T:
        _here.set(executor)
        return await coroutine

    future = start(from_here())
    executor.run_until_future(future)
    return future.result()


def in_trial() -> bool:
    """Whether what is read through `db` may never become true: nothing of it may be kept in a cache."""
    return _here.get() is not None


async def _check(connection: psycopg.AsyncConnection[Any]) -> None:
    if is_closed(connection):
        await connection.close()
        await _pool().check()
        raise psycopg.OperationalError("the server closed the connection")


@cache
def _pool() -> "AsyncConnectionPool[psycopg.AsyncConnection[Any]]":
    """Connections of the background loop itself, for what every reply waits for."""
    parameters = connection.get_connection_params()  # type: ignore[attr-defined]
    del parameters["cursor_factory"]
    return AsyncConnectionPool(
        kwargs=parameters | {"autocommit": True},
        open=False,
        min_size=0,
        max_size=CONNECTIONS,
        max_idle=60,
        timeout=WAIT_SECONDS,
        check=_check,
    )


@cache
def _errors() -> DatabaseErrorWrapper:
    """Raises Django's errors instead of psycopg's; every task would make one of its own."""
    return connection.wrap_database_errors


async def ask(query: Query[T]) -> T:
    """Ask from a loop, without a thread: a step less where many wait for this process's interpreter. Raises django.db.Error."""
    if in_trial():
        return await db(query.ask)
    if asyncio.get_running_loop() is not loop():
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(ask(query), loop()))
    # Who gives up does so for himself: the pool loses a connection whose return is cancelled. And it keeps the context it is opened in.
    asked = loop().create_task(_asked(query), context=Context())
    asked.add_done_callback(forget_error)
    return await asyncio.shield(asked)


def forget_error(task: "asyncio.Task[Any]") -> None:
    """Who awaits the task gets its error; if nobody does any more, it is of no interest."""
    if not task.cancelled():
        task.exception()


async def _asked(query: Query[T]) -> T:
    with _errors():
        pool = _pool()
        await pool.open()
        async with pool.connection() as own:
            rows = [await (await own.execute(*statement, prepare=True)).fetchall() for statement in query.statements]
    return query.read(*rows)


async def db(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that uses the ORM from the loop; its connection goes back to the pool at once."""
    calling = asyncio.get_running_loop()
    here = _here.get()

    def call() -> T:
        token = _calling_loop.set(calling)
        try:
            return function(*args, **kwargs)
        finally:
            _calling_loop.reset(token)
            if here is None:
                connection.close()

    return await sync_to_async(call, thread_sensitive=False, executor=cast(Any, here))()
