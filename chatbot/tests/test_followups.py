import pytest

from chatbot import followups


@pytest.mark.parametrize(
    ("question", "before", "readings"),
    [
        ("and to Spain?", [], ["and to Spain?"]),
        ("and to Spain?", ["How much is delivery to France?"], ["How much is delivery to Spain?", "and to Spain?"]),
        (
            "and to Spain?",
            ["How much is delivery to France in winter?"],
            ["How much is delivery to Spain in winter?", "and to Spain?"],
        ),
        (
            "und nach Spanien?",
            ["Was kostet die Lieferung nach Wien?"],
            ["Was kostet die Lieferung nach Spanien?", "und nach Spanien?"],
        ),
        (
            "and to Italy?",
            ["How much is delivery to France?", "and to Spain?"],
            ["How much is delivery to Italy?", "and to Italy?"],
        ),
        (
            "and to Spain?",
            ["How much is delivery to France?", "Thanks!"],
            ["How much is delivery to Spain?", "and to Spain?"],
        ),
        ("what about sofas", ["Can I return a lamp?"], ["Can I return a lamp? sofas", "what about sofas"]),
        ("can I track it?", ["Where is my parcel?"], ["can I track it?", "Where is my parcel? can I track it?"]),
        (
            "What does delivery to Spain cost in the summer?",
            ["Where is my parcel?"],
            ["What does delivery to Spain cost in the summer?"],
        ),
    ],
)
def test_follow_ups_are_read_with_what_was_asked_before(question: str, before: list[str], readings: list[str]) -> None:
    assert followups.readings(question, before) == readings


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("How much is delivery and can I pay by card?", ["How much is delivery", "can I pay by card?"]),
        ("Where is my parcel? Can I track it?", ["Where is my parcel?", "Can I track it?"]),
        ("Where is my parcel?\nDo you repair laptops", ["Where is my parcel?", "Do you repair laptops"]),
        ("Wie lange dauert die Lieferung und was kostet sie?", ["Wie lange dauert die Lieferung", "was kostet sie?"]),
        ("¿Cuánto cuesta el envío y cómo puedo pagar?", ["¿Cuánto cuesta el envío", "cómo puedo pagar?"]),
        ("Can I get a refund and an invoice?", ["Can I get a refund and an invoice?"]),
        ("hi\nwhere is my order", ["hi\nwhere is my order"]),
        ("my sofa arrived broken\nwhat do I do", ["my sofa arrived broken\nwhat do I do"]),
        (
            "Is it red? Is it blue? Is it green? Is it pink? Is it grey?",
            ["Is it red? Is it blue? Is it green? Is it pink? Is it grey?"],
        ),
        ("", [""]),
    ],
)
def test_a_message_that_asks_several_things_is_taken_apart(text: str, parts: list[str]) -> None:
    assert followups.parts(text) == parts
