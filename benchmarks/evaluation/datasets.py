"""The public sets in `../shared/data` (or `PARLEY_DATA`), as knowledge bases and questions; what is not there is left out."""

import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("PARLEY_DATA", Path(__file__).parents[3] / "shared" / "data"))
PHRASINGS = (1, 5, 10)
# Which texts stand for a topic moves accuracy by a hundredth or two: drawn sets are drawn anew with each of these.
SEEDS = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Entry:
    """One FAQ to load: its texts are its question and phrasings."""

    key: str
    texts: Sequence[str]
    answer: str


@dataclass(frozen=True)
class Asked:
    """A question and the key of the FAQ that answers it; None when none does."""

    text: str
    key: str | None


@dataclass(frozen=True)
class DataSet:
    entries: Sequence[Entry]
    asked: Sequence[Asked]


def read(name: str) -> Any:
    """A file's content; None when it is not there."""
    path = DATA / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def all_sets() -> Iterator[tuple[str, list[DataSet]]]:
    """Each line of the table: its name, and the set or the draws whose mean it tells."""
    for name in ("banking77", "clinc150"):
        if data := read(name):
            yield from _topics(name, data)
    if data := read("stackfaq"):
        yield "stackfaq", [_stackfaq(data)]


def _topics(name: str, data: dict[str, list[list[str]]]) -> Iterator[tuple[str, list[DataSet]]]:
    """The first k texts of each topic in the file's order, then k texts drawn at random, which neighbours in the file resemble less."""
    asked = [Asked(text, topic) for text, topic in data["test"]]
    asked += [Asked(text, None) for text, _topic in data.get("oos_test", [])]
    train = data["train"]
    draws = [random.Random(seed).sample(train, len(train)) for seed in SEEDS]
    for order, orders in (("first", [train]), ("drawn", draws)):
        for count in PHRASINGS:
            yield f"{name}, {order} {count}", [DataSet(_first(rows, count), asked) for rows in orders]


def _first(rows: Sequence[Sequence[str]], count: int) -> list[Entry]:
    texts: dict[str, list[str]] = {}
    for text, topic in rows:
        mine = texts.setdefault(topic, [])
        if len(mine) < count and text not in mine:
            mine.append(text)
    # The sets have no answers: one that repeats the question adds nothing to be found by.
    return [Entry(topic, mine, mine[0]) for topic, mine in sorted(texts.items())]


def _stackfaq(data: dict[str, list[Any]]) -> DataSet:
    entries = [Entry(str(row["id"]), [row["question"]], row["answer"]) for row in data["faqs"]]
    asked = [Asked(text, str(key)) for text, key in data["queries"] if text.strip()]
    return DataSet(entries, asked)
