"""What becomes of a question: its confidence, its parts, questions back, and who would rather have a person."""

import asyncio
from typing import Any

import pytest

from chatbot import live, retrieval, tasks
from chatbot.runtime import db
from chatbot.wording import say
from conversations.models import Conversation, Message
from faqs.models import FAQ, Category

from .asking import answer

pytestmark = pytest.mark.django_db(transaction=True)


async def test_confidence_is_stored_with_replies_that_were_looked_for(
    knowledge: None, publisher: live.Publisher
) -> None:
    answered = await answer("how long does shipping take?", publisher)
    greeted = await answer("Hello!", publisher)
    foreign = await answer("What will the weather be tomorrow in Lisbon?", publisher)
    assert answered.confidence is not None
    assert foreign.confidence is not None
    assert foreign.confidence < 0.5 < answered.confidence <= 1
    assert greeted.confidence is None


async def test_each_part_is_answered_with_its_source_or_declined_by_name(
    knowledge: None, publisher: live.Publisher
) -> None:
    question = "When will my order arrive? How do I return an item? What is the [9] *capital* of Mongolia?"
    reply = await answer(question, publisher)
    assert "It takes **two days**. [1]" in reply.content
    assert "Drop the parcel off. [2]" in reply.content
    assert "“What is the 9 capital of Mongolia?”" in reply.content
    assert [source["n"] for source in reply.sources] == [1, 2]
    assert [part["decision"] for part in reply.metadata["parts"]] == ["answer", "answer", "decline"]


async def test_parts_that_mean_the_same_are_answered_once(knowledge: None, publisher: live.Publisher) -> None:
    reply = await answer("When will my order arrive? What is the delivery time?", publisher)
    assert reply.content == "It takes **two days**. [1]"


async def test_when_no_part_is_known_the_whole_is_declined(knowledge: None, publisher: live.Publisher) -> None:
    reply = await answer("Who won the match? How do I boil an egg?", publisher)
    assert (reply.metadata["decision"], "parts" in reply.metadata) == ("decline", False)


@pytest.mark.parametrize(("confidence", "decision"), [(0.55, "answer"), (0.4, "decline")])
async def test_nothing_is_asked_back_twice_in_a_row(
    knowledge: None, publisher: live.Publisher, monkeypatch: pytest.MonkeyPatch, confidence: float, decision: str
) -> None:
    def unsure(*args: Any) -> retrieval.Retrieved:
        _live, question, _vector, candidates, _language = args
        return retrieval.Retrieved(retrieval.Decision.CLARIFY, candidates, confidence, 0.9, question)

    monkeypatch.setattr(retrieval, "judge", unsure)
    first = await answer("delivery or return?", publisher)
    second = await answer("well, delivery or return?", publisher, first.conversation_id)
    third = await answer("so, delivery or return?", publisher, first.conversation_id)
    decisions = [one.metadata["decision"] for one in (first, second, third)]
    assert decisions == ["clarify", decision, "clarify"]


async def test_a_wish_for_a_human_in_new_words_is_understood(knowledge: None, publisher: live.Publisher) -> None:
    reply = await answer("please let somebody of flesh and blood talk with me", publisher)
    assert reply.metadata["decision"] == "human"
    assert (await db(Conversation.objects.get)).tags == ["human_requested"]


async def test_an_opposite_question_is_asked_back(knowledge: None, publisher: live.Publisher) -> None:
    category = await db(Category.objects.get)
    values = {"question": "Can I return sale items?", "answer": "Yes.", "status": "published"}
    faq = await db(FAQ.objects.create, category=category, **values)
    await asyncio.to_thread(tasks.embed_faq, faq.pk)
    assert (await answer("Can I return sale items?", publisher)).metadata["decision"] == "answer"
    assert (await answer("Can I not return sale items?", publisher)).metadata["decision"] == "clarify"


async def test_short_texts_stay_in_the_language_of_the_conversation(knowledge: None, publisher: live.Publisher) -> None:
    first = await answer("Wie lange habe ich Zeit für die Rücksendung?", publisher)
    second = await answer("Paypal Code?", publisher, first.conversation_id)
    assert [one.metadata["language"] for one in (first, second)] == ["de", "de"]


async def test_somebody_who_has_had_enough_is_offered_a_person_once(knowledge: None, publisher: live.Publisher) -> None:
    first = await answer("When will my order arrive?", publisher)
    await db(Message.objects.filter(role="user").update, analysis={"annoyance": 1.5})
    second = await answer("Is it on its way now?", publisher, first.conversation_id)
    await db(Message.objects.filter(role="user").update, analysis={"annoyance": 1.5})
    third = await answer("Tell me the delivery time", publisher, first.conversation_id)
    offer = say("offer_human", "en")
    assert [offer in one.content for one in (first, second, third)] == [False, True, False]
