"""Golden questions: what visitors may ask, and which FAQ answers it, or that none does."""

from dataclasses import dataclass

from faqs import selectors


@dataclass(frozen=True)
class GoldenQuestion:
    """`faq_id` None: this must be declined."""

    text: str
    language: str
    faq_id: int | None


def questions() -> list[GoldenQuestion]:
    """Those that this knowledge base can be held to: declined, or answered by a FAQ that is published."""
    return [
        GoldenQuestion(one.question, one.language, one.expected_id)
        for one in selectors.golden_questions()
        if one.expected is None or one.expected.is_live
    ]
