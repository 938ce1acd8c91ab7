"""The embedded servers: started, restarted, ended, and never left behind."""

import errno
import os
import signal
import socket
from pathlib import Path
from subprocess import SubprocessError

import psycopg
import pytest
import redis

from deploy import servers
from deploy.embedded import Services, running
from deploy.servers import EmbeddedError

from .processes import alive, descendants, kill, supervisor, until

HOLD_SERVERS = """
import sys, threading
from pathlib import Path
from deploy.embedded import running
with running(Path(sys.argv[1]), fast=True) as services:
    print(services.postgresql.process.pid, services.valkey.process.pid, flush=True)
    threading.Event().wait()
"""


def pid_of(server: servers.Server | None) -> int:
    assert server is not None
    assert server.process is not None
    return server.process.pid


def value_in(services: Services) -> object:
    with psycopg.connect(str(services.database_url)) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
    return row and row[0]


def keep_value(services: Services) -> None:
    with psycopg.connect(str(services.database_url)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    with redis.Redis.from_url(str(services.redis_url)) as client:
        client.set("kept", "42")


def test_data_and_ports_survive_a_stop(state: Path) -> None:
    with running(state) as services:
        keep_value(services)
        before = (services.database_url, services.redis_url)
    with running(state) as services:
        assert (services.database_url, services.redis_url) == before
        assert value_in(services) == 42
        with redis.Redis.from_url(str(services.redis_url)) as client:
            assert client.get("kept") == b"42"
            assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_the_database_has_the_extensions(state: Path) -> None:
    with running(state, valkey=False, fast=True) as services, psycopg.connect(str(services.database_url)) as connection:
        installed = {row[0] for row in connection.execute("SELECT extname FROM pg_extension")}
    assert installed >= {"vector", "pg_trgm", "unaccent"}
    assert services.redis_url is None


def test_only_valkey_is_started_when_only_valkey_is_asked_for(state: Path) -> None:
    with running(state, postgresql=False) as services:
        assert services.database_url is None
        assert not (state / "postgresql").exists()


def test_a_stop_ends_the_servers(state: Path) -> None:
    with running(state, fast=True) as services:
        pids = [pid_of(server) for server in services.servers]
    assert not any(alive(pid) for pid in pids)


def test_a_crashed_server_comes_back_on_its_port(state: Path) -> None:
    with running(state) as services:
        keep_value(services)
        for server in services.servers:
            first = pid_of(server)
            os.kill(first, signal.SIGKILL)
            until(lambda: pid_of(server) != first and server.answers(), f"{server.name} to come back")  # noqa: B023
        assert value_in(services) == 42


def test_a_launch_that_fails_is_tried_again_and_ends_no_other_server(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, failures = servers.Valkey.launch, [SubprocessError("preexec_fn"), OSError(errno.EMFILE, "Too many files")]

    def failing(server: servers.Valkey) -> None:
        if failures:
            raise failures.pop()
        launch(server)

    with running(state, fast=True) as services:
        other, first = pid_of(services.postgresql), pid_of(services.valkey)
        monkeypatch.setattr(servers.Valkey, "launch", failing)
        os.kill(first, signal.SIGKILL)
        until(lambda: pid_of(services.valkey) != first and services.servers[1].answers(), "valkey to come back")
        assert not failures
        assert pid_of(services.postgresql) == other
        assert services.servers[0].answers()


def test_nothing_outlives_a_killed_supervisor(state: Path) -> None:
    log = state / "supervisor.log"
    process = supervisor("-c", HOLD_SERVERS, str(state), log=log)
    until(lambda: log.read_text().count("\n"), "the servers to start")
    family = descendants(process.pid)
    assert {int(pid) for pid in log.read_text().split()} < family
    kill(process)
    until(lambda: not any(map(alive, family)), "every server process to end")
    with running(state) as services:
        assert services.database_url


def test_a_pid_file_that_names_another_program_is_ignored(state: Path) -> None:
    with running(state, valkey=False) as services:
        assert services.postgresql is not None
        pid_file = services.postgresql.directory / "postmaster.pid"
        content = pid_file.read_text().splitlines()
    # This test's own process is alive and no PostgreSQL.
    pid_file.write_text("\n".join([str(os.getppid()), *content[1:], ""]))
    with running(state, valkey=False) as services:
        assert services.postgresql is not None
        assert services.postgresql.answers()


def test_an_interrupted_initdb_is_started_over(state: Path) -> None:
    (state / "postgresql.half").mkdir()
    (state / "postgresql.half" / "PG_VERSION").write_text("18\n")
    with running(state, valkey=False, fast=True) as services:
        assert services.database_url
    assert not (state / "postgresql.half").exists()


def test_a_taken_port_is_replaced(state: Path) -> None:
    with running(state, postgresql=False) as services:
        assert services.valkey is not None
        port = services.valkey.port
    with socket.create_server(("127.0.0.1", port)), running(state, postgresql=False) as services:
        assert services.valkey is not None
        assert services.valkey.port != port
        assert services.valkey.answers()


def test_a_second_supervisor_on_the_same_directory_is_told_so(state: Path) -> None:
    with running(state, postgresql=False), pytest.raises(EmbeddedError, match=f"already runs on {state}"):
        Services(state)


def test_the_directory_is_free_again_after_a_failed_start(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(servers.Valkey, "command", lambda self: ["/bin/false"])
        patch.setattr(servers, "SECONDS_TO_START", 0.5)
        with pytest.raises(EmbeddedError, match="valkey did not start; see"), running(state, postgresql=False):
            pass
    with running(state, postgresql=False) as services:
        assert services.redis_url


def test_a_missing_package_is_one_sentence() -> None:
    with pytest.raises(EmbeddedError, match="The package no_such_server is not installed"):
        servers.package_dir("no_such_server")


def test_folders_that_nobody_else_may_enter_have_postgresql_elsewhere_for_root_only(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(servers, "SHARED_STATE", state / "shared")
    monkeypatch.setattr(servers, "server_user", dict)
    assert servers.postgresql_home(closed) == closed
    monkeypatch.setattr(servers, "server_user", lambda: {"user": 65534})
    assert servers.postgresql_home(closed).parent == state / "shared"
    assert servers.postgresql_home(state) == state


def test_servers_run_from_a_closed_folder(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    monkeypatch.setattr(servers, "SHARED_STATE", state / "shared")
    monkeypatch.setattr(
        servers, "reachable", lambda path: "closed" not in path.parts and "site-packages" not in path.parts
    )
    with running(closed, fast=True) as services:
        assert services.postgresql is not None
        assert services.postgresql.answers()
