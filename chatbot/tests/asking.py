"""A visitor who asks, in process."""

from uuid import UUID, uuid4

from accounts.models import User
from chatbot import live, tasks, turn
from chatbot.runtime import db
from conversations import services
from conversations.models import Message
from faqs.models import FAQ, Category, Phrasing


def post(content: str, conversation_id: UUID | None = None) -> Message:
    user = User.objects.filter(email="ada@example.com").first()
    user = user or User.objects.create_user("ada@example.com", "correct horse battery")
    return services.post_message(user=user, content=content, client_id=uuid4(), conversation_id=conversation_id).message


def make_faqs() -> None:
    category = Category.objects.create(name="Delivery", slug="delivery")
    for question, phrasing, answer in [
        ("When will my order arrive?", "What is the delivery time?", "It takes **two days**."),
        ("How do I return an item?", "Where do I get a return label?", "1. Print the label.\n2. Drop the parcel off."),
    ]:
        faq = FAQ.objects.create(category=category, question=question, answer=answer, status="published")
        Phrasing.objects.create(faq=faq, text=phrasing)
        tasks.embed_faq(faq.pk)


async def answer(content: str, publisher: live.Publisher, conversation_id: UUID | None = None) -> Message:
    posted = await db(post, content, conversation_id)
    queued = await db(Message.objects.get, conversation_id=posted.conversation_id, status="queued")
    ended = await turn.take(queued.pk, publisher)
    assert ended is not None
    return ended
