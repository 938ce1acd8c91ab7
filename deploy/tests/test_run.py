"""`python -m deploy.run`: from nothing to the printed address, through crashes, to nothing left."""

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from deploy import run
from deploy.servers import EmbeddedError

from .processes import alive, command_of, descendants, find, free_port, kill, supervisor, until

COMMANDS = ("chatbot.serve", "-Q replies", "-Q default", "-A chatbot beat")
NOT_RUNNING = "parley: no Parley runs on {}; start it with `make run` first, in another terminal.\n"


class Run:
    """One `make run` on a directory of its own."""

    def __init__(self, state: Path) -> None:
        self.state, self.log, self.port = state, state / "run.log", free_port()
        self.start()

    def start(self) -> None:
        env = {"PARLEY_VAR": str(self.state), "PORT": str(self.port)}
        self.process = supervisor("-m", "deploy.run", log=self.log, **env)
        until(
            lambda: "Ctrl-C stops everything" in self.log.read_text() or self.process.poll() is not None,
            "the greeting",
            90,
        )
        assert self.process.poll() is None, self.log.read_text()

    def family(self) -> set[int]:
        return descendants(self.process.pid)

    def command(self, part: str) -> int:
        """The process itself, not the one that watches it."""
        return find({pid for pid in self.family() if "deploy.run" not in command_of(pid)}, part)


@pytest.fixture(scope="module")
def parley(shared_state: Path) -> Iterator[Run]:
    parley = Run(shared_state)
    yield parley
    if parley.process.poll() is None:
        kill(parley.process)


class TestARunningParley:
    def test_it_prints_the_address_and_the_logins(self, parley: Run) -> None:
        printed = parley.log.read_text()
        assert f"Parley is at   http://127.0.0.1:{parley.port}\n" in printed
        assert "admin@example.com" in printed
        until(lambda: run.answers(parley.port), "the web process", 30)

    def test_the_secret_key_is_kept_for_its_owner_only(self, parley: Run) -> None:
        assert stat.S_IMODE((parley.state / "secret_key").stat().st_mode) == 0o600

    def test_a_command_of_django_reaches_its_database_with_its_key(self, parley: Run, state: Path) -> None:
        asked = "from django.conf import settings as s; from faqs.models import FAQ; print(FAQ.objects.count() > 0, s.SECRET_KEY)"
        key = (parley.state / "secret_key").read_text()
        done, said = manage(parley.state, "shell", "--verbosity", "0", "-c", asked, log=state / "manage.log")
        assert (done, said) == (0, f"True {key}\n")
        assert stat.S_IMODE((parley.state / "running.json").stat().st_mode) == 0o600

    @pytest.mark.parametrize("part", COMMANDS)
    def test_a_killed_process_comes_back(self, parley: Run, part: str) -> None:
        first = parley.command(part)
        assert first
        os.kill(first, signal.SIGKILL)
        until(lambda: parley.command(part) not in {0, first}, f"{part} to come back", 5)

    def test_a_second_one_is_told_so_and_disturbs_nothing(self, parley: Run, state: Path) -> None:
        marker = parley.state / "prometheus" / "marker"
        marker.touch()
        env = {"PARLEY_VAR": str(parley.state), "PORT": str(free_port())}
        second = supervisor("-m", "deploy.run", log=state / "second.log", **env)
        assert second.wait(30) == 1
        assert (state / "second.log").read_text().startswith(f"parley: Parley already runs on {parley.state}")
        assert marker.exists()

    def test_ctrl_c_ends_everything_in_time(self, parley: Run) -> None:
        until(lambda: run.answers(parley.port), "the web process", 30)
        family = parley.family()
        assert kill(parley.process, signal.SIGINT) == 0
        assert not any(map(alive, family))
        assert not (parley.state / "running.json").exists()
        parley.start()

    def test_nothing_outlives_a_killed_supervisor(self, parley: Run) -> None:
        family = parley.family()
        assert all(find(family, part) for part in (*COMMANDS, "postgres", "valkey"))
        kill(parley.process)
        until(lambda: not any(map(alive, family)), "every process to end", 15)
        # It could not take its note for `manage` away.
        assert (parley.state / "running.json").exists()
        assert manage(parley.state, "check", log=parley.log) == (1, NOT_RUNNING.format(parley.state))
        parley.start()


def manage(var: Path, *arguments: str, log: Path) -> tuple[int, str]:
    """What `make manage` ends with, and what it prints."""
    process = supervisor("-m", "deploy.run", "manage", *arguments, log=log, PARLEY_VAR=str(var))
    return process.wait(60), log.read_text()


def test_a_command_without_a_running_parley_is_one_sentence(state: Path) -> None:
    assert manage(state, "check", log=state / "manage.log") == (1, NOT_RUNNING.format(state))


def sentence_of(monkeypatch: pytest.MonkeyPatch, **env: str) -> str:
    """What `deploy.run` exits with under these variables."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        run.main()
    sentence = str(stopped.value)
    assert "\n" not in sentence
    assert sentence.startswith("parley: ")
    return sentence


@pytest.fixture
def database_url() -> Iterator[str]:
    """A database without extensions, and a user `plain` who may not create any."""
    server = urlsplit(os.environ["DATABASE_URL"])
    name = f"bare_{os.getpid()}"
    with psycopg.connect(urlunsplit(server._replace(path="/postgres")), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        connection.execute(f"CREATE ROLE plain_{name} LOGIN")  # type: ignore[call-overload]
        yield urlunsplit(server._replace(path=f"/{name}"))
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]
        connection.execute(f"DROP ROLE plain_{name}")  # type: ignore[call-overload]


def test_a_busy_port_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = sentence_of(monkeypatch, PORT=str(port))
    assert f"port {port} is taken" in sentence
    assert "make run" in sentence


@pytest.mark.parametrize("port", ["eighty", "0", "70000"])
def test_a_wrong_port_is_one_sentence(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    assert "PORT must be a number" in sentence_of(monkeypatch, PORT=port)


@pytest.mark.parametrize("url", ["postgresql://postgres@127.0.0.1:1/parley", "no url at all"])
def test_a_wrong_database_url_is_one_sentence(monkeypatch: pytest.MonkeyPatch, state: Path, url: str) -> None:
    env = {"DATABASE_URL": url, "PARLEY_VAR": str(state), "PORT": str(free_port())}
    assert "the database of DATABASE_URL cannot be used" in sentence_of(monkeypatch, **env)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "no url at all"])
def test_a_wrong_redis_url_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, state: Path, url: str, database_url: str
) -> None:
    env = {"DATABASE_URL": database_url, "REDIS_URL": url, "PARLEY_VAR": str(state), "PORT": str(free_port())}
    assert "the Redis server of REDIS_URL cannot be used" in sentence_of(monkeypatch, **env)


def test_a_setting_that_cannot_be_read_is_one_sentence(state: Path, database_url: str) -> None:
    env = {"DATABASE_URL": database_url, "REDIS_URL": os.environ["REDIS_URL"], "PARLEY_VAR": str(state)}
    log = state / "run.log"
    process = supervisor("-m", "deploy.run", log=log, PORT=str(free_port()), STAFF_MFA_REQUIRED="maybe", **env)
    assert process.wait(60) == 1
    assert log.read_text().startswith("parley: STAFF_MFA_REQUIRED is 'maybe': set it to true or false.")


def test_a_missing_database_is_named(database_url: str) -> None:
    with pytest.raises(EmbeddedError, match='"nowhere" does not exist'):
        run.check_database(urlunsplit(urlsplit(database_url)._replace(path="/nowhere")))


def test_a_user_who_may_not_create_extensions_is_told_so(database_url: str) -> None:
    url = urlsplit(database_url)
    plain = urlunsplit(url._replace(netloc=f"plain_{url.path[1:]}@127.0.0.1:{url.port}"))
    with pytest.raises(EmbeddedError, match="may not create the extensions"):
        run.check_database(plain)


def test_a_server_without_pgvector_is_told_so(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.servers.EXTENSIONS", ("no_such_extension",))
    with pytest.raises(EmbeddedError, match=r"lacks an extension .*no_such_extension.*pgvector"):
        run.check_database(database_url)


def test_a_folder_without_permission_is_one_sentence(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    def refuse(directory: Path, **options: bool) -> None:
        raise PermissionError(13, "Permission denied", str(directory / "lock"))

    monkeypatch.setattr(run, "running", refuse)
    monkeypatch.delenv("REDIS_URL")
    env = {"PARLEY_VAR": str(state), "PORT": str(free_port())}
    monkeypatch.delenv("DATABASE_URL")
    assert f"no permission for {state}/lock" in sentence_of(monkeypatch, **env)


def test_a_python_that_is_too_old_is_one_sentence(state: Path) -> None:
    old = state / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    made = subprocess.run(["make", "python", f"PYTHON={old}"], capture_output=True, text=True, check=False)
    assert made.returncode != 0
    assert "Parley needs Python 3.11 or newer" in made.stderr
