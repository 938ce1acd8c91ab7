"""The demo content against its golden questions, through the code that answers visitors."""

import json
from collections import Counter

import pytest
from django.core.management import call_command

from chatbot import retrieval, tasks
from chatbot.demo import GOLDEN_FILE
from chatbot.runtime import run

pytestmark = pytest.mark.django_db(transaction=True)


def outcome(question: str, language: str, expected: str | None) -> str:
    """ "right", "declined", "asked back" (with the right one among the two, where there is one), or "wrong"."""
    found = run(retrieval.retrieve(question, language))
    shown = [passage.question for passage in found.passages]
    match found.decision:
        case retrieval.Decision.DECLINE:
            return "right" if expected is None else "declined"
        case retrieval.Decision.CLARIFY:
            return "asked back" if expected in (*shown[:2], None) else "wrong"
    return "right" if shown[0] == expected else "wrong"


def test_golden_questions_are_answered_or_declined() -> None:
    """The floors are what the thresholds reached when they were set; `wrong` is an answer to another question."""
    call_command("load_demo")
    tasks.sweep_embeddings()
    golden = json.loads(GOLDEN_FILE.read_text(encoding="utf-8"))
    known, foreign = Counter[str](), Counter[str]()
    details = []
    for row in golden:
        result = outcome(row["question"], row["language"], row["expected"])
        (foreign if row["expected"] is None else known)[result] += 1
        if result != "right":
            details.append(f"{result}: {row['question']}")
    report = f"{known} {foreign}\n" + "\n".join(details)
    assert known["right"] + known["asked back"] >= 0.9 * known.total(), report
    assert known["wrong"] <= 0.05 * known.total(), report
    assert foreign["right"] >= 0.9 * foreign.total(), report
