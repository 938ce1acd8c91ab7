from typing import Any

import pytest

from chatbot.entities import entities


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Write to ada.l+1@mail.example.co.uk, please", "en", [("email", "ada.l+1@mail.example.co.uk")]),
        (
            "Order #10023-A cost $49.90 on 12 March 2026",
            "en",
            [("order", "10023-A"), ("amount", "$49.90"), ("date", "12 March 2026")],
        ),
        ("order 123456 please", "en", [("order", "123456")]),
        (
            "Bestellung PL-2026-00123 vom 03.04.2026 über 1.299,00 €",
            "de",
            [("order", "PL-2026-00123"), ("date", "03.04.2026"), ("amount", "1.299,00 €")],
        ),
        ("Llámeme al 912 345 678", "es", [("phone", "912 345 678")]),
        (
            "Rappelez-moi au +33 1 42 68 53 00 le 2026-05-01",
            "fr",
            [("phone", "+33 1 42 68 53 00"), ("date", "2026-05-01")],
        ),
        ("My oslo sofa is late", "en", [("product", "oslo sofa")]),
        ("I have 2 lamps and 30 days", "en", []),
        ("", "en", []),
    ],
)
def test_what_a_message_names(text: str, language: str, expected: list[tuple[str, str]], settings: Any) -> None:
    settings.PRODUCT_NAMES = ["Oslo Sofa"]
    assert [(one["kind"], one["text"]) for one in entities(text, language)] == expected
