import pytest

from chatbot import guard


@pytest.mark.parametrize(
    ("question", "faq", "conflict"),
    [
        ("Can I not return sale items?", "Can I return sale items?", "negation"),
        ("Can't I pay by card?", "Can I pay by card?", "negation"),
        ("Kann ich nicht bar zahlen?", "Kann ich bar zahlen?", "negation"),
        ("Can I return sale items?", "Can I return sale items?", None),
        ("Why can I not log in?", "Can I log in with Google?", None),
        ("My parcel has not arrived", "Where is my parcel?", None),
        ("Can I return it after 14 days?", "Can I return it after 30 days?", "number"),
        ("within 1 day?", "What if it takes 2 days?", "number"),
        ("Can I return it after 30 days?", "Can I return it after 30 days?", None),
        ("I ordered 2 lamps, may I return one?", "Can I return it within 30 days?", None),
        ("Is it 20 % off?", "Is there a discount of 10 %?", "number"),
    ],
)
def test_what_vectors_hardly_see(question: str, faq: str, conflict: str | None) -> None:
    assert guard.conflict(question, faq) == conflict
