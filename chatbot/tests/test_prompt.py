from chatbot import prompt
from chatbot.providers.base import ChatMessage


def test_the_latest_messages_fit_the_budget() -> None:
    history = [ChatMessage("user", "x" * 400), ChatMessage("assistant", "y" * 40), ChatMessage("user", "z" * 40)]
    assert prompt.within_budget(history, 30) == history[1:]


def test_the_question_stays_however_long() -> None:
    history = [ChatMessage("user", "a"), ChatMessage("user", "x" * 4000)]
    assert prompt.within_budget(history, 10) == history[1:]
