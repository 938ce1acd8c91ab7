"""What is noted about messages: by the local models on real texts."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError

from accounts.models import User
from chatbot import analysis, events, mood, tasks
from chatbot.mood import Mood
from chatbot.providers import registry
from chatbot.providers.base import ProviderUnavailable
from chatbot.runtime import run
from conversations import services
from conversations.models import Conversation, Message


def post(content: str, conversation_id: UUID | None = None) -> Message:
    user = User.objects.filter(email="ada@example.com").first() or User.objects.create_user(
        "ada@example.com", "correct horse battery"
    )
    return services.post_message(user=user, content=content, client_id=uuid4(), conversation_id=conversation_id).message


def felt(text: str, language: str = "en") -> Mood:
    return run(mood.mood_of(analysis._embedder(language), text))


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("this is ridiculous, I have been waiting for three weeks and nobody cares", "en"),
        ("your service is a joke, I am so angry", "en"),
        ("worst company ever", "en"),
        ("Ihr Service ist eine Katastrophe, ich bin wütend!", "de"),
        ("Es una vergüenza, estoy muy enfadado con ustedes", "es"),
    ],
)
def test_annoyance_is_felt(text: str, language: str) -> None:
    found = felt(text, language)
    assert found.annoyance >= 1
    assert found.sentiment < 0


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My transfer was declined, why?", "en"),
        ("I lost my card, please block it", "en"),
        ("There is a charge that I did not make", "en"),
        ("my parcel has not arrived, where is it?", "en"),
        ("Mein Paket ist kaputt angekommen", "de"),
        ("Thank you, that was perfect", "en"),
    ],
)
def test_calm_trouble_is_no_annoyance(text: str, language: str) -> None:
    assert felt(text, language).annoyance == 0


def test_pleasure_is_felt() -> None:
    assert felt("Wonderful, I love my new sofa!").sentiment > 0.2


@pytest.mark.parametrize(
    ("annoyances", "too_much"),
    [([], False), ([1], False), ([1, 1], True), ([1, 0, 1], False), ([1.5], True), ([1, 1, 0, 0], False)],
)
def test_one_annoyed_message_is_not_enough(annoyances: list[float], too_much: bool) -> None:
    assert mood.is_too_much(annoyances) is too_much


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("Thanks!", "thanks"),
        ("I want to talk to a human", "human"),
        ("worst company ever, I am furious", "complaint"),
        ("Where is my parcel?", "question"),
        ("my parcel has not arrived", "statement"),
    ],
)
def test_intents(text: str, intent: str) -> None:
    assert analysis.intent_of(text, felt(text)) == intent


@pytest.mark.django_db(transaction=True)
def test_messages_are_analysed_once_and_annoyance_adds_up() -> None:
    first = post("this is ridiculous, I have been waiting for #10023 for three weeks and nobody cares")
    tasks.analyse_messages([str(first.pk)])
    first.refresh_from_db()
    assert first.analysis is not None
    assert first.analysis["entities"] == [{"kind": "order", "text": "10023"}]
    assert (first.analysis["intent"], first.analysis["language"]) == ("complaint", "en")
    Message.objects.filter(pk=first.pk).update(analysis=first.analysis | {"annoyance": 1.0})
    second = post("this is ridiculous, nobody cares about me", first.conversation_id)
    for _ in range(2):
        tasks.analyse_messages([str(first.pk), str(second.pk)])
    conversation = Conversation.objects.get()
    assert conversation.tags == ["frustrated"]
    assert "frustrated_at" in conversation.context


@pytest.mark.django_db(transaction=True)
def test_annoyance_is_noted_with_what_follows_from_it(monkeypatch: pytest.MonkeyPatch) -> None:
    message = post("this is ridiculous, worst company ever, I am furious")
    Message.objects.update(created_at=message.created_at - 2 * tasks.MODERATION_GRACE)
    monkeypatch.setattr(tasks, "dispatch", lambda task, ids: task(ids))
    monkeypatch.setattr(mood, "is_too_much", lambda annoyances: bool(list(annoyances)))

    def refuse(**kwargs: object) -> None:
        raise OperationalError

    with monkeypatch.context() as away:
        away.setattr(services, "add_tag", refuse)
        with pytest.raises(OperationalError):
            tasks.sweep_analysis()
    message.refresh_from_db()
    assert message.analysis is None
    tasks.sweep_analysis()
    assert Conversation.objects.get().tags == ["frustrated"]


@pytest.mark.django_db(transaction=True)
def test_what_could_not_be_read_waits_for_the_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[list[str]] = []
    monkeypatch.setattr(tasks, "dispatch", lambda task, ids: sent.append(ids))
    message = post("Where is my parcel?")

    class Away:
        provider, name, languages = "local", "away", ()

        async def embed(self, texts: list[str]) -> list[list[float]]:
            raise ProviderUnavailable

    monkeypatch.setattr(registry, "embedders", lambda: [Away()])
    tasks.analyse_messages([str(message.pk)])
    tasks.sweep_analysis()
    assert sent == []
    Message.objects.update(created_at=message.created_at - 2 * tasks.MODERATION_GRACE)
    tasks.sweep_analysis()
    assert sent == [[str(message.pk)]]


@pytest.mark.django_db(transaction=True)
def test_a_new_message_is_examined_once_its_answer_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, Any]] = []
    monkeypatch.setattr(events, "dispatch", lambda task, *args: sent.append((task.name, args[0])))
    message = post("Where is my parcel?")
    assert [name for name, _ in sent] == ["chatbot.tasks.run_reply", "chatbot.tasks.examine_messages"]
    assert sent[1][1] == [str(message.pk)]
