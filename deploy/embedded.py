"""The embedded servers of one data directory: started together, watched, restarted when they crash, ended together.

The kernel ends them when this process dies, so nothing outlives it.
"""

import contextlib
import fcntl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import psycopg

from .servers import EmbeddedError, PostgreSQL, Server, Valkey

SECONDS_BETWEEN_LOOKS = 0.3


class Services:
    """`database_url` and `redis_url` are None for the servers that were not asked for.

    Raises EmbeddedError when another process holds the directory.
    """

    def __init__(self, directory: Path, *, postgresql: bool = True, valkey: bool = True, fast: bool = False) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self.postgresql = PostgreSQL(self.directory, fast=fast) if postgresql else None
        self.valkey = Valkey(self.directory) if valkey else None
        self._ready, self._ending = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        # The kernel ends a server with the thread that started it: one thread starts, watches and stops them all.
        self._thread = threading.Thread(target=self._supervise, name="embedded-servers", daemon=True)

    def _take_lock(self) -> IO[str]:
        lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            sentence = f"Parley already runs on {self.directory}; stop it, or set PARLEY_VAR to another folder."
            raise EmbeddedError(sentence) from None
        return lock

    @property
    def servers(self) -> list[Server]:
        return [server for server in (self.postgresql, self.valkey) if server is not None]

    @property
    def database_url(self) -> str | None:
        return self.postgresql.url() if self.postgresql else None

    @property
    def redis_url(self) -> str | None:
        return self.valkey.url if self.valkey else None

    def start(self) -> None:
        """Raises EmbeddedError when a server cannot be started."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self.stop()
            raise self._error

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        self._lock.close()

    def _supervise(self) -> None:
        try:
            self._start_all()
        except (EmbeddedError, OSError, subprocess.SubprocessError, psycopg.Error) as error:
            self._error = error
            self._ending.set()
        self._ready.set()
        while not self._ending.wait(SECONDS_BETWEEN_LOOKS):
            self._relaunch_the_dead()
        for server in reversed(self.servers):
            server.stop()

    def _start_all(self) -> None:
        for server in self.servers:
            server.prepare()
            server.choose_port()
            server.start()
        if self.postgresql:
            self.postgresql.create_database()

    def _relaunch_the_dead(self) -> None:
        """One that dies again at once, or cannot be launched now, is tried again at the next look."""
        for server in self.servers:
            if server.ended():
                # No memory or no file left: this thread must go on, the other server ends with it.
                with contextlib.suppress(OSError, subprocess.SubprocessError):
                    server.launch()


@contextlib.contextmanager
def running(directory: Path, *, postgresql: bool = True, valkey: bool = True, fast: bool = False) -> Iterator[Services]:
    """Services that run within the block."""
    services = Services(directory, postgresql=postgresql, valkey=valkey, fast=fast)
    services.start()
    try:
        yield services
    finally:
        services.stop()
