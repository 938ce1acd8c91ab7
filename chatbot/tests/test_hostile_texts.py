"""Texts made to keep a worker busy: whatever reads a visitor's words takes about as long as they are."""

from collections.abc import Callable
from time import thread_time

import pytest

from chatbot import followups, guard, logs, understanding
from chatbot.citations import Citations
from chatbot.entities import entities
from chatbot.providers.local import LocalModerator

READERS: dict[str, Callable[[str], object]] = {
    "small_talk": understanding.small_talk,
    "wants_human": understanding.wants_human,
    "language_of": lambda text: understanding.language_of(text, "en"),
    "is_question": followups.is_question,
    "parts": followups.parts,
    "readings": lambda text: followups.readings(text, ["How much is delivery to France?"]),
    "readings_before": lambda text: followups.readings("and to Spain?", [text]),
    "conflict": lambda text: guard.conflict(text, "Can I return it within 3 days?"),
    "entities": lambda text: entities(text, "en"),
    "moderation": lambda text: [rule.search(text) for rule in LocalModerator.rules.values()],
    "citations": lambda text: Citations(3).feed(text),
    "logs": lambda text: logs.minimise_text(None, "", text),
}
HOSTILE: dict[str, Callable[[int], str]] = {
    "rather": lambda n: "rather " * (n // 21) + "human " * (n // 9),
    "rather_human": lambda n: "rather human " * (n // 13),
    "spaces": lambda n: f"a{' ' * n}b",
    "spaces_and": lambda n: f"a{' ' * (n // 2)}and{' ' * (n // 2)}b",
    "spaces_to": lambda n: f"How much to a{' ' * n}b",
    "spaces_want": lambda n: f"I want{' ' * n}b",
    "lines": lambda n: "\n " * (n // 2),
    "questions": lambda n: "b" + "\nis a b" * (n // 7),
    "signs": lambda n: "." * n + "b",
    "question_marks": lambda n: "?" * n + "b",
    "underlines": lambda n: "_" * n,
    "addresses": lambda n: "a@a." * (n // 4),
    "digits": lambda n: "1" * n,
    "thousands": lambda n: "111 " * (n // 4),
    "numbers": lambda n: "can 1 " * (n // 6),
    "citation": lambda n: "[1" + " , 1" * (n // 4),
    "insults": lambda n: "you are " + "stupid " * (n // 7),
}


def spent(read: Callable[[str], object], text: str) -> float:
    began = thread_time()
    read(text)
    return thread_time() - began


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("reader", READERS)
def test_four_times_the_text_takes_no_sixteen_times_as_long(reader: str, hostile: str) -> None:
    read, text = READERS[reader], HOSTILE[hostile]
    # The processor's time, and thrice: the machine has more to do.
    assert any(spent(read, text(8000)) < 8 * max(spent(read, text(2000)), 0.005) for _ in range(3))
