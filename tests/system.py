"""A whole Parley of real processes, on the test's own PostgreSQL and Valkey, that a test may kill piece by piece."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from celery import Celery
from honcho.environ import parse_procfile

from deploy.embedded import Services
from deploy.processes import dies_with_parent
from deploy.tests.processes import free_port, until

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 60
LOG_END = 8000
PROCESSES = parse_procfile((ROOT / "Procfile").read_text()).processes
# uvicorn as fast as it gets.
FAST = "--http httptools --loop uvloop --ws websockets-sansio --ws-per-message-deflate false"


class LiveSystem:
    """Web, workers and beat as `make run` starts them, on the servers of `servers` (the test run's own without it).

    `env` overrides their settings.
    """

    def __init__(
        self, directory: Path, name: str, redis_database: int, servers: Services | None = None, **env: str
    ) -> None:
        self.directory = directory
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        database_url, redis_url = (
            (servers.database_url, servers.redis_url)
            if servers
            else (os.environ["DATABASE_URL"], os.environ["REDIS_URL"])
        )
        server = urlsplit(str(database_url))
        self.database = f"live_{name}_{os.getpid()}"
        self.admin_url = urlunsplit(server._replace(path="/postgres"))
        self.database_url = urlunsplit(server._replace(path=f"/{self.database}"))
        redis = urlsplit(str(redis_url))
        self.redis_url = urlunsplit(redis._replace(path=f"/{redis_database}"))
        self.env = os.environ | {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "CELERY_BROKER_URL": self.redis_url,
            "SECRET_KEY": "live-system-test-key",
            "PORT": str(self.port),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PARLEY_RUN": "1",
            "LOG_FORMAT": "json",
            # Everybody comes from one address here.
            **dict.fromkeys(
                ("RATE_LIMITS_USER", "RATE_LIMITS_ADDRESS", "RATE_LIMITS_AUTH"),
                "1000000/minute;1000000/hour;10000000/day",
            ),
            "OMP_NUM_THREADS": "1",
            "MALLOC_ARENA_MAX": "2",
            **env,
        }
        self.env.pop("PROMETHEUS_MULTIPROC_DIR", None)
        self.server = "daphne"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.started: dict[str, float] = {}

    def command(self, name: str) -> str:
        """What the Procfile runs under this name (a number behind it tells several apart), as a worker of its own name."""
        kind = name.rstrip("0123456789")
        if kind == "web" and self.server == "uvicorn":
            return f"uvicorn --host 127.0.0.1 --port $PORT --log-level warning {FAST} benchmarks.uvicorn:application"
        return str(PROCESSES[kind]).replace("%h", f"{name}{self.port}")

    def start(self, *names: str) -> None:
        for name in names:
            self.started[name] = time.monotonic()
            with (self.directory / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {self.command(name)}"],
                    env=self.env,
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    preexec_fn=dies_with_parent(signal.SIGKILL),
                )

    def kill(self, name: str) -> None:
        """`kill -9`: no goodbye."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def replies_of(self, name: str) -> set[str] | None:
        """The replies that a worker is at, as `celery inspect active` tells them; None from one that takes no tasks yet."""
        node = f"{name.rstrip('0123456789')}@{name}{self.port}"
        with Celery(broker=self.redis_url, set_as_current=False) as app:
            active = app.control.inspect([node], timeout=5, limit=1).active()
        if not active:
            return None
        return {task["args"][0] for task in active[node] if task["name"] == "chatbot.tasks.run_reply"}

    def prepare(self) -> None:
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{self.database}"')  # type: ignore[call-overload]
        # One process for all three: starting Python takes longer than any of them.
        steps = (
            "from django.core.management import call_command; from chatbot.tasks import sweep_embeddings; "
            "call_command('migrate', verbosity=0); call_command('load_demo'); sweep_embeddings()"
        )
        subprocess.run(
            [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", steps], env=self.env, cwd=ROOT, check=True
        )

    def begin(self, *names: str) -> None:
        self.prepare()
        self.start(*names)
        # Without workers it is alive and never ready.
        path = "/health/ready" if {"replies", "default"} & {name.rstrip("0123456789") for name in names} else "/health"
        self.wait(lambda: self.get(path).get("status") == "ok", "the system to be ready")

    def get(self, path: str) -> dict[str, Any]:
        """The JSON at a path; empty while nothing useful answers."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as response:  # noqa: S310
                return dict(json.load(response))
        except urllib.error.HTTPError as error:
            return dict(json.load(error))
        except (OSError, ValueError):
            return {}

    def wait(self, condition: Callable[[], object], what: str, seconds: float = SECONDS_TO_START) -> None:
        """Poll a condition of other processes. Raises AssertionError with the logs' ends when it does not come."""
        try:
            until(condition, what, seconds)
        except AssertionError as error:
            tails = [f"--- {log.name}\n{self.log(log.stem)}" for log in self.directory.glob("*.log")]
            raise AssertionError("\n".join([str(error), *tails])) from None

    def log(self, name: str) -> str:
        """The end of what a process printed."""
        return (self.directory / f"{name}.log").read_text(errors="replace")[-LOG_END:]

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            return connection.execute(sql, parameters).fetchall()  # type: ignore[call-overload,no-any-return]

    def end(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with psycopg.connect(self.admin_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{self.database}" WITH (FORCE)')  # type: ignore[call-overload]
