"""The commands of docs/api.md do what it says, one after the other, on a live system."""

import json
import re
import shlex
import urllib.error
import urllib.request
from string import Template
from typing import Any

import pytest

from .system import ROOT, LiveSystem

DOCUMENT = (ROOT / "docs" / "api.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.S) for line in block.splitlines()]


def run(command: str, known: dict[str, str]) -> tuple[int, str]:
    """What curl would do with such a command."""
    words = shlex.split(Template(command).safe_substitute(known))
    url = next(word for word in words if word.startswith("http"))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    body = next((words[at + 1].encode() for at, word in enumerate(words) if word == "-d"), None)
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:  # noqa: S310
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def learn(known: dict[str, str], data: dict[str, Any]) -> None:
    """What the reader of the document would put into its variables."""
    for field, variable in (("access", "ACCESS"), ("refresh", "REFRESH"), ("conversation_id", "CONVERSATION")):
        if field in data:
            known[variable] = data[field]


def test_the_commands_work_in_their_order(live_system: LiveSystem) -> None:
    known = {"API": f"{live_system.url}/api/v1"}
    for command in COMMANDS:
        status, text = run(command, known)
        assert status in {200, 202}, (command, text)
        if text and not text.startswith("event:"):
            learn(known, json.loads(text))
        elif text:
            assert re.findall(r"^event: (\w+)", text, re.M)[0 :: 10**6] == ["ack"]
            assert "event: response" in text
    assert {"ACCESS", "REFRESH", "CONVERSATION"} <= set(known)
    assert len(COMMANDS) >= 9


def test_every_address_of_the_document_exists() -> None:
    from chatbot.api_urls import urlpatterns

    served = {
        re.sub(r"<[^>]+>", "{id}", str(one.pattern))
        for pattern in urlpatterns
        for one in getattr(pattern, "url_patterns", [pattern])
    }
    starts = ("auth/", "chat/", "me/", "messages/", "faqs/", "analytics/", "conversations/")
    named = {name.split("?")[0] for name in re.findall(r"`(?:[A-Z]+ )?([a-z]+/[a-z/{}]*)[^`]*`", DOCUMENT)}
    assert {name for name in named if name.startswith(starts)} <= served


@pytest.mark.parametrize("page", ["/api/docs", "/api/schema"])
def test_the_reference_is_served(live_system: LiveSystem, page: str) -> None:
    with urllib.request.urlopen(live_system.url + page, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
        assert "cdn." not in answer.read().decode()
