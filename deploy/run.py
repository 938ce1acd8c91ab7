"""`make run`: everything on this machine, from nothing to the printed address, and nothing left behind after Ctrl-C.

`make manage`: one of Django's commands beside it, on the same servers and with the same key.
"""

import contextlib
import http.client
import json
import multiprocessing
import os
import secrets
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import environ
import psycopg
import redis
from django.core.exceptions import ImproperlyConfigured
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.process import Popen, Process

from .embedded import running
from .processes import dies_with_parent, port_is_free
from .servers import EmbeddedError, create_extensions

ROOT = Path(__file__).resolve().parent.parent
LONGEST_BACKOFF = 5.0
SECONDS_TO_ANSWER = 60
# What a command beside the processes must know as they do.
SHARED = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PARLEY_RUN", "PARLEY_VAR")


class Child(Process):  # type: ignore[misc]
    """A Procfile process that is started again when it dies unasked, and cannot outlive the supervisor."""

    ending = multiprocessing.get_context("fork").Event()

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        supervisor = multiprocessing.parent_process()
        dies_with_parent(signal.SIGKILL, supervisor.pid if supervisor else None)()
        # Handlers, not SIG_IGN: those are not inherited by the command.
        for ignored in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ignored, lambda *_: None)
        self._events = events
        backoff = 0.2
        while True:
            began = time.monotonic()
            self._follow()
            if time.monotonic() - began > LONGEST_BACKOFF:
                backoff = 0.2
            if self.ending.wait(backoff):
                break
            self._send_message(f"ended with {self._child.returncode}; starting it again\n".encode())
            backoff = min(backoff * 2, LONGEST_BACKOFF)
        self._send_message({"returncode": 0}, type="stop")

    def _follow(self) -> None:
        """Start the command and pass its lines on until it ends."""
        self._child = Popen(self.cmd, env=self.env, cwd=self.cwd, preexec_fn=dies_with_parent(signal.SIGTERM))
        self._send_message({"pid": self._child.pid}, type="start")
        for line in iter(self._child.stdout.readline, b""):
            self._send_message(line)
        self._child.stdout.close()
        self._child.wait()


class Supervisor(Manager):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self._process_ctor = Child

    def terminate(self) -> None:
        Child.ending.set()
        super().terminate()


def fail(sentence: str) -> None:
    sys.exit(f"parley: {sentence}")


def check_database(url: str) -> None:
    """One sentence for each way in which a database cannot be used. Raises EmbeddedError."""
    try:
        create_extensions(url)
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile) as error:
        raise EmbeddedError(
            f"the PostgreSQL server of DATABASE_URL lacks an extension ({first_line(error)}); "
            "install it there (pgvector provides `vector`)."
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise EmbeddedError(
            f"the user of DATABASE_URL may not create the extensions that Parley needs ({first_line(error)}); "
            "create vector, pg_trgm and unaccent once as a superuser."
        ) from None
    except psycopg.Error as error:
        raise EmbeddedError(f"the database of DATABASE_URL cannot be used: {first_line(error)}") from None


def first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def check_redis(url: str) -> None:
    """Raises EmbeddedError with one sentence."""
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as client:
            client.ping()
    except (redis.RedisError, ValueError, OSError) as error:
        raise EmbeddedError(f"the Redis server of REDIS_URL cannot be used: {error}") from None


@contextlib.contextmanager
def servers(var: Path) -> Iterator[None]:
    """Set DATABASE_URL and REDIS_URL to servers that work: the given ones, checked, or embedded ones."""
    database, broker = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if database:
        check_database(database)
    if broker:
        check_redis(broker)
    with running(var, postgresql=not database, valkey=not broker) as services:
        os.environ["DATABASE_URL"] = database or str(services.database_url)
        os.environ["REDIS_URL"] = broker or str(services.redis_url)
        yield


def prepare_environment(var: Path, port: int) -> None:
    """What the processes need to know, but for the servers."""
    metrics = var / "prometheus"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    defaults = {
        "PARLEY_RUN": "1",
        "PARLEY_VAR": str(var),
        "PORT": str(port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "OMP_NUM_THREADS": "1",
        # glibc keeps what each of its arenas once held; a worker's threads would have many.
        "MALLOC_ARENA_MAX": "2",
        "DJANGO_SETTINGS_MODULE": "chatbot.settings",
        "SECRET_KEY": secret_key(var),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }
    os.environ.update({name: value for name, value in defaults.items() if name == "PATH" or not os.environ.get(name)})


def secret_key(var: Path) -> str:
    """The key of this installation: made once, readable by its owner only."""
    path = var / "secret_key"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(50))
    return path.read_text()


@contextlib.contextmanager
def noted(var: Path) -> Iterator[None]:
    """Note for `manage` what the processes know, readable by its owner only, as long as they run."""
    path = var / "running.json"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({name: os.environ[name] for name in SHARED}))
    try:
        yield
    finally:
        path.unlink()


def manage(var: Path, *arguments: str) -> None:
    """Become one of Django's commands beside the Parley that runs on this directory. Raises EmbeddedError when none does."""
    try:
        os.environ.update(json.loads((var / "running.json").read_text()))
        # One that was killed has left its note, perhaps half of it.
        check_database(os.environ["DATABASE_URL"])
        check_redis(os.environ["REDIS_URL"])
    except (FileNotFoundError, ValueError, EmbeddedError):
        raise EmbeddedError(f"no Parley runs on {var}; start it with `make run` first, in another terminal.") from None
    os.execv(sys.executable, [sys.executable, str(ROOT / "manage.py"), *arguments])


def prepare_database() -> None:
    """Migrate when something is pending, and load the demo content once."""
    import django
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    django.setup()
    executor = MigrationExecutor(connections["default"])
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0)
    call_command("load_demo")
    for connection in connections.all():
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]


def answers(port: int) -> bool:
    """Whether the web process serves; any answer that is not its own failure counts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def announce(port: int) -> None:
    """Print the address and the demo logins as soon as the web process answers."""
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + SECONDS_TO_ANSWER
    while not answers(port):
        if time.monotonic() > until:
            print(f"parley: {url} does not answer after {SECONDS_TO_ANSWER} s; see the lines above.", flush=True)
            return
        time.sleep(0.1)
    print(greeting(url), flush=True)


def greeting(url: str) -> str:
    from chatbot.demo import DEMO_LOGINS

    logins = [f"    {role:<8} {email:<24} {password}" for role, email, password in DEMO_LOGINS]
    line = "-" * 64
    head = [f"  Parley is at   {url}", f"  Admin          {url}/admin/", "  Demo logins"]
    return "\n".join(["", line, *head, *logins, "  Ctrl-C stops everything; data stays.", line, ""])


def start(var: Path) -> None:
    """Everything, until it is ended."""
    multiprocessing.set_start_method("fork", force=True)
    port = os.environ.get("PORT") or "8000"
    if not port.isdigit() or not 0 < int(port) < 65536:
        fail(f"PORT must be a number from 1 to 65535, not {port!r}.")
    if not port_is_free(int(port)):
        fail(f"port {port} is taken; choose another one, such as `PORT={int(port) % 65535 + 1} make run`.")
    # The servers' lock first: what follows would disturb another Parley on this directory.
    with servers(var):
        prepare_environment(var, int(port))
        prepare_database()
        with noted(var):
            supervise(int(port))


def main(*arguments: str) -> None:
    environ.Env.read_env(ROOT / ".env", overwrite=False)
    var = Path(os.environ.get("PARLEY_VAR") or ROOT / "var").resolve()
    try:
        if arguments[:1] == ("manage",):
            manage(var, *arguments[1:])
        else:
            start(var)
    except (EmbeddedError, ImproperlyConfigured) as error:
        fail(str(error))
    except PermissionError as error:
        fail(f"no permission for {error.filename}; PARLEY_VAR may name another folder.")
    except KeyboardInterrupt:
        fail("stopped.")


def supervise(port: int) -> None:
    manager = Supervisor()
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        manager.add_process(name, f"exec {command}", cwd=str(ROOT))
    threading.Thread(target=announce, args=[port], daemon=True).start()
    manager.loop()


if __name__ == "__main__":
    main(*sys.argv[1:])
