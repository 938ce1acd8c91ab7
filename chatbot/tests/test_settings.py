import json
import os
import re
import socket
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from chatbot import live
from chatbot.environment import GONE_MS, Env

EXAMPLE = (settings.BASE_DIR / ".env.example").read_text()
# What a file makes of the settings, and the variables that they ask for; nothing of this process's own environment counts.
LOAD = """
import json, sys, environ

class Asked(dict):
    names = []

    def get(self, name, default=None):
        self.names.append(name)
        return super().get(name, default)

environ.Env.ENVIRON = Asked()
environ.Env.read_env(sys.argv[1])
from chatbot import settings
loaded = {name: value for name, value in vars(settings).items() if name.isupper()}
print(json.dumps({"settings": loaded, "asked": Asked.names, "set": environ.Env.ENVIRON}, default=lambda value: str(type(value))))
"""


def load(folder: Path, text: str) -> dict[str, Any]:
    file = folder / "env"
    file.write_text(text)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(file)], cwd=settings.BASE_DIR, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# ?([A-Z_]+=)", r"\1", text)


def test_every_line_of_the_example_can_be_uncommented_as_it_stands(tmp_path: Path) -> None:
    loaded = load(tmp_path, uncommented(EXAMPLE))
    assert loaded["set"].keys() == set(re.findall(r"(?m)^# ?([A-Z_]+)=", EXAMPLE))
    assert not [value for value in loaded["set"].values() if "#" in value or value != value.strip()]
    found = loaded["settings"]
    assert found["STAFF_MFA_REQUIRED"] is found["HTTPS"] is found["LINK_CHECKS"] is True
    assert (found["CHAT_PROVIDER"], found["TRUSTED_PROXIES"], found["METRICS_TOKEN"]) == ("local", 0, "")


def test_the_example_lists_every_variable_that_is_asked_for(tmp_path: Path) -> None:
    listed = set(re.findall(r"(?m)^#([A-Z_]+)=", EXAMPLE))
    compose = set(re.findall(r"\$\{([A-Z_]+)", (settings.BASE_DIR / "docker-compose.yml").read_text()))
    # `make run` sets PARLEY_RUN and reads PORT; Prometheus's own package reads the other.
    assert listed - {"PORT", "PROMETHEUS_MULTIPROC_DIR"} == set(load(tmp_path, "")["asked"]) - {"PARLEY_RUN"} | (
        compose - {"PORT"}
    )


def test_an_empty_variable_counts_as_not_set(tmp_path: Path) -> None:
    names = load(tmp_path, "")["asked"]
    empty = load(tmp_path, "".join(f"{name}=\n" for name in names))
    assert empty["settings"] == load(tmp_path, "")["settings"]
    # OpenAI's client, too, would take an empty one for an address.
    assert empty["settings"]["OPENAI_BASE_URL"] == "https://api.openai.com/v1"


@pytest.mark.parametrize("value", ["true      # staff need a second factor", "yse", "2"])
def test_what_is_neither_true_nor_false_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("STAFF_MFA_REQUIRED", value)
    with pytest.raises(ImproperlyConfigured, match=f"STAFF_MFA_REQUIRED is '{value}': set it to true or false"):
        Env().bool("STAFF_MFA_REQUIRED", default=True)


@pytest.mark.parametrize("value", ["90 # was 60", "ninety", "1,000.0", "0,5", "nan", "inf"])
def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("REPLY_DEADLINE_SECONDS", value)
    with pytest.raises(ImproperlyConfigured, match=f"REPLY_DEADLINE_SECONDS is '{value}': set it to a number"):
        Env().float("REPLY_DEADLINE_SECONDS", default=90.0)


@pytest.mark.parametrize("value", ["7 # a week", "7.5", "seven"])
def test_what_is_no_whole_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("EXPORT_DAYS", value)
    with pytest.raises(ImproperlyConfigured, match=f"EXPORT_DAYS is '{value}': set it to a whole number"):
        Env().int("EXPORT_DAYS", default=7)


def test_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPORT_DAYS", " 30 ")
    monkeypatch.setenv("REPLY_DEADLINE_SECONDS", "12.5")
    assert (Env().int("EXPORT_DAYS", default=7), Env().float("REPLY_DEADLINE_SECONDS", default=90.0)) == (30, 12.5)


@pytest.mark.parametrize(
    ("value", "read"), [("true", True), (" Yes ", True), ("1", True), ("off", False), ("0", False)]
)
def test_words_for_true_and_false(monkeypatch: pytest.MonkeyPatch, value: str, read: bool) -> None:
    monkeypatch.setenv("LINK_CHECKS", value)
    assert Env().bool("LINK_CHECKS", default=not read) is read


def test_no_migration_is_missing(db: None) -> None:
    said = StringIO()
    call_command("makemigrations", check=True, dry_run=True, stdout=said)
    assert said.getvalue().strip() == "No changes detected"


def test_beat_has_work_for_tasks_that_exist() -> None:
    from chatbot.celery import app

    app.loader.import_default_modules()
    assert app.conf.beat_schedule
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def user_timeout(handle: socket.socket) -> int:
    return handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


async def test_a_redis_whose_host_is_gone_is_noticed() -> None:
    """In ten seconds after the next question, instead of TCP's quarter of an hour."""
    async with live.connect() as client, client.pubsub() as pubsub:
        await pubsub.subscribe("anything")
        assert pubsub.connection is not None
        assert user_timeout(pubsub.connection._writer.get_extra_info("socket")) == GONE_MS  # type: ignore[union-attr]


def test_a_database_whose_host_is_gone_is_noticed(db: None) -> None:
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as handle:
        assert user_timeout(handle) == GONE_MS
