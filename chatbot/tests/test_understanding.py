import pytest

from chatbot import understanding


@pytest.mark.parametrize(
    ("text", "occasion"),
    [
        ("Hi!", "greeting"),
        ("hello there", "greeting"),
        ("Guten Tag", "greeting"),
        ("¡Hola!".strip("¡"), "greeting"),
        ("Bonjour", "greeting"),
        ("thanks a lot!", "thanks"),
        ("Danke schön", "thanks"),
        ("merci beaucoup", "thanks"),
        ("bye", "goodbye"),
        ("Hi, where is my parcel?", None),
        ("thanks, and what about returns?", None),
        ("high chairs", None),
        ("", None),
    ],
)
def test_small_talk_is_nothing_else(text: str, occasion: str | None) -> None:
    assert understanding.small_talk(text) == occasion


@pytest.mark.parametrize(
    "text",
    [
        "I want to speak to a human",
        "can I talk to a real person please",
        "connect me with an agent",
        "Agent",
        "Ich möchte mit einem Menschen sprechen",
        "quiero hablar con una persona",
        "je voudrais parler à un conseiller",
        "give me a human",
        "not a bot please",
        "hand me over to a supervisor",
        "may I chat with a member of staff instead",
        "escalate this to your manager",
        "operator please",
        "I'd rather deal with a person than with software",
        "gibt es hier auch echte Menschen?",
        "können Sie mich weiterleiten an einen Kollegen",
        "prefiero que me atienda una persona de verdad",
        "transférez-moi à un collègue",
    ],
)
def test_wish_for_a_human(text: str) -> None:
    assert understanding.wants_human(text)


@pytest.mark.parametrize(
    "text",
    [
        "Is the table for one person?",
        "How many people fit into the tent?",
        "Do you have a travel agent discount?",
        "Ist das Zelt für zwei Personen?",
        "I need a new chair",
        "I want an employee discount",
        "Which people can see my data?",
        "¿Es para una persona?",
    ],
)
def test_no_wish_for_a_human(text: str) -> None:
    assert not understanding.wants_human(text)


@pytest.mark.parametrize(
    ("text", "profile", "language"),
    [
        ("How long do I have to send something back?", "de", "en"),
        ("Wie lange habe ich Zeit für die Rücksendung?", "en", "de"),
        ("¿Cuánto tiempo tengo para devolver un producto?", "en", "es"),
        ("Combien de temps ai-je pour retourner un article ?", "en", "fr"),
        ("ok", "fr", "fr"),
        ("12345", "es", "es"),
        ("parcel problem", "en", "en"),
        ("voucher code", "en", "en"),
        ("Paket kaputt", "en", "de"),
        ("colis perdu", "en", "fr"),
        ("cancelar mi pedido", "en", "es"),
    ],
)
def test_language_is_the_texts_or_where_it_says_little_the_conversations(
    text: str, profile: str, language: str
) -> None:
    assert understanding.language_of(text, profile) == language
