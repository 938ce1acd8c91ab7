"""Golden questions: what visitors may ask, and which FAQ answers it, or that none does."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from faqs.models import FAQ

from .demo import GOLDEN_FILE


@dataclass(frozen=True)
class GoldenQuestion:
    """`faq_id` None: this must be declined."""

    text: str
    language: str
    faq_id: int | None


def questions() -> list[GoldenQuestion]:
    """The golden questions of this knowledge base; those of the demo content, where that is what is published."""
    return resolved(json.loads(GOLDEN_FILE.read_text(encoding="utf-8")))


def resolved(rows: Sequence[dict[str, str | None]]) -> list[GoldenQuestion]:
    """Rows of a golden file against the published FAQs: nothing when most of the expected ones are not there."""
    published = FAQ.objects.published().values_list("question", "language", "pk")  # type: ignore[attr-defined]
    ids = {(question, language): pk for question, language, pk in published}
    expecting = [row for row in rows if row["expected"] is not None]
    answered = [row for row in expecting if (row["expected"], row["language"]) in ids]
    if 2 * len(answered) < len(expecting) or not answered:
        return []
    foreign = [row for row in rows if row["expected"] is None]
    return [
        GoldenQuestion(
            str(row["question"]), str(row["language"]), ids.get((str(row["expected"]), str(row["language"])))
        )
        for row in answered + foreign
    ]
