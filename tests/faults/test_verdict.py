"""A verdict is worth something only if it finds what is wrong."""

import asyncio
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from unittest.mock import Mock
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import User
from chatbot import turn
from conversations import services
from conversations.models import Conversation, Message

from .faults import SECONDS_TO_LISTEN, Faults
from .verdict import MAX_ATTEMPTS, NOTE_NUMBERS, NUMBERS, Row, judge
from .visitors import Seen

ASKED = "Question 1 of visitor 2 [[fake: tokens=12]]"
SAID = 'You asked: "Question 1 of visitor 2" word1 word2 word3 word4 word5'
QUESTION = Row("c", "m1", "user", "sent", ASKED, "k1", 1, 1, None)
ANSWER = Row("c", "m2", "assistant", "sent", SAID, None, 2, 4, None)
TAKEN = Row("c", "m3", "system", "sent", "", None, 3, 5, None)
FAILED = replace(ANSWER, status="failed", content="Sorry", error={"code": "provider_unavailable", "message": "Sorry"})


def found(log: list[Row], **saw: Any) -> list[str]:
    """The kinds of violations in one conversation, of which somebody saw what is stored, or `saw`."""
    shown = {row.message_id: (row.status, row.content) for row in log}
    seen = Seen(**{"accepted": {"k1": ("c", ASKED)}, "transcripts": {"c": [shown]}, **saw})
    return [kind for kind, violations in judge(Mock(rows=lambda _sql: []), {"c": log}, seen).items() if violations]


@pytest.mark.parametrize(
    "log",
    [
        [QUESTION, ANSWER],
        [QUESTION, replace(ANSWER, status="stopped", content="You asked:")],
        [QUESTION, FAILED],
        [QUESTION, replace(FAILED, content="You asked:\n\nSorry")],
        [QUESTION, replace(ANSWER, status="discarded", content=""), replace(ANSWER, message_id="m4", position=3)],
    ],
)
def test_a_sound_conversation_is_found_sound(log: list[Row]) -> None:
    assert found(log) == []


def test_a_reply_that_was_interrupted_too_often_is_no_failure_of_ours() -> None:
    error = {"code": "internal", "message": "Sorry"}
    assert found([QUESTION, replace(FAILED, error=error, attempt=turn.MAX_ATTEMPTS + 1)]) == []
    assert turn.MAX_ATTEMPTS == MAX_ATTEMPTS


def test_a_takeover_leaves_questions_unanswered() -> None:
    later = replace(QUESTION, message_id="m4", client_id="k2", position=4, seq=6)
    assert found([QUESTION, ANSWER, TAKEN, later], taken_over={"c"}) == []


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        ([replace(QUESTION, content=ASKED[:-1]), FAILED], "lost"),
        ([replace(QUESTION, client_id="other"), ANSWER], "lost"),
        ([QUESTION, ANSWER, replace(QUESTION, message_id="m3", position=3), ANSWER], "stored twice"),
        ([QUESTION], "without exactly one reply"),
        ([QUESTION, ANSWER, replace(ANSWER, message_id="m4", position=3)], "without exactly one reply"),
        ([QUESTION, replace(ANSWER, content=SAID[:-1])], "not what the model said"),
        ([QUESTION, replace(ANSWER, content=SAID + SAID)], "not what the model said"),
        ([QUESTION, replace(ANSWER, status="stopped", content="word1")], "not what the model said"),
        ([QUESTION, replace(FAILED, content="word1\n\nSorry")], "not what the model said"),
        ([QUESTION, replace(FAILED, error={"code": "internal", "message": "Sorry"})], "failed by ourselves"),
        ([QUESTION, replace(ANSWER, status="streaming")], "stuck"),
        ([QUESTION, ANSWER, TAKEN], "takeovers not once"),
        ([QUESTION, TAKEN, replace(ANSWER, position=4, seq=6)], "spoken after a takeover"),
    ],
)
def test_what_is_wrong_is_found(log: list[Row], kind: str) -> None:
    assert kind in found(log)


def test_what_somebody_saw_otherwise_is_found() -> None:
    assert found([QUESTION, ANSWER], transcripts={"c": [{}]}) == ["transcripts that differ"]
    assert found([QUESTION, ANSWER], taken_over={"c"}) == ["takeovers not once"]


def _skip_one(reply: Message) -> None:
    Message.objects.filter(pk=reply.pk).update(seq=4)
    Conversation.objects.update(last_seq=4)


def _forget_one(_reply: Message) -> None:
    Conversation.objects.update(last_seq=3)


def _give_one_twice(reply: Message) -> None:
    for seq in (3, 2):
        Message.objects.filter(pk=reply.pk).update(seq=seq)
    Conversation.objects.update(last_seq=3)


@pytest.mark.parametrize("wrong", [_skip_one, _forget_one, _give_one_twice])
def test_numbers_with_a_gap_are_found(db: None, wrong: Callable[[Message], None]) -> None:
    user = User.objects.create_user("ada@example.com", "correct horse battery")
    with connection.cursor() as cursor:
        cursor.execute(NOTE_NUMBERS)
        message = services.post_message(user=user, content="Hello", client_id=uuid4()).message
        cursor.execute(NUMBERS)
        assert cursor.fetchall() == []
        wrong(Message.objects.get(role="assistant"))
        cursor.execute(NUMBERS)
        assert cursor.fetchall() == [(str(message.conversation_id),)]


@pytest.mark.parametrize(
    ("prepares", "seconds_ago", "ends_well"),
    [
        ("", 0, True),
        ("", SECONDS_TO_LISTEN, False),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))", 0, True),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))", SECONDS_TO_LISTEN, True),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", 0, False),
        ("signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))", 0, False),
        (
            "signal.signal(signal.SIGTERM, lambda *_: "
            "(signal.signal(signal.SIGTERM, signal.SIG_DFL), os.kill(os.getpid(), signal.SIGTERM)))",
            0,
            False,
        ),
    ],
)
def test_what_listens_ends_by_itself_when_asked(prepares: str, seconds_ago: float, ends_well: bool) -> None:
    """Who does not listen yet is ended by the signal, and has nothing to put in order; who never does is found."""
    program = f"import os, signal, sys\n{prepares}\nprint(flush=True)\nsignal.pause()"
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        started = {"web": time.monotonic() - seconds_ago}
        system = Mock(processes={"web": process}, started=started, log=lambda _name: "")
        faults = Faults(Mock(system=system), Mock(), random.Random(1), pace=0)
        asyncio.run(faults.end("web"))
    assert faults.unended == ([] if ends_well else ["web"])
