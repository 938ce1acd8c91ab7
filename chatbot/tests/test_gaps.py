"""Questions without an answer: noted once, gathered by meaning, closed by editors, gone with their conversations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from accounts.models import User
from accounts.roles import sync_role
from chatbot import gaps, tasks
from chatbot.providers.base import ProviderUnavailable
from conversations import replies
from conversations import services as conversations
from conversations.models import Message
from faqs import services as knowledge
from faqs.gaps import selectors, services
from faqs.gaps.clusters import recluster
from faqs.gaps.models import Gap, GapQuestion
from faqs.models import FAQ, Category, EmbeddingModel

# A word's direction; a text is the sum of its words.
WORDS = {"gift": 0, "voucher": 0, "card": 1, "sofa": 2, "paint": 3}


@dataclass
class Embedder:
    provider: str = "local"
    name: str = "tiny"
    width: int = 4
    languages: tuple[str, ...] = ()
    fails: bool = False
    scale: list[float] = field(default_factory=lambda: [1.0, 1.0, 1.0, 1.0])

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.fails:
            raise ProviderUnavailable("away")
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = np.full(4, 0.05)
        for word in text.lower().replace("?", "").split():
            if word in WORDS:
                vector[WORDS[word]] += self.scale[WORDS[word]]
        return [float(x) for x in vector / np.linalg.norm(vector)]


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def model(db: None, embedder: Embedder, monkeypatch: pytest.MonkeyPatch) -> EmbeddingModel:
    model = knowledge.register_model(provider="local", name="tiny", width=4, languages=[])
    monkeypatch.setattr("chatbot.providers.registry.usable_models", lambda: [(model, embedder)])
    return model


@pytest.fixture
def editor(db: None) -> User:
    user = User.objects.create(email="ed@example.com", role="editor")
    sync_role(user)
    return user


def person(name: str) -> User:
    return User.objects.get_or_create(email=f"{name}@example.com")[0]


def reply(text: str, decision: str = "decline", who: str = "ada", conversation_id: UUID | None = None) -> Message:
    """Somebody asks and the assistant has answered so."""
    message = conversations.post_message(
        user=person(who), content=text, client_id=uuid4(), conversation_id=conversation_id
    ).message
    queued = Message.objects.get(conversation_id=message.conversation_id, status="queued")
    claimed = replies.claiming(queued.pk).ask()
    assert claimed is not None
    metadata = {"decision": decision, "language": "en"}
    ended = replies.finish(claimed.reply, replies.Outcome(status="sent", content="Well.", metadata=metadata))
    assert ended is not None
    return ended


def asked(text: str, decision: str = "decline", who: str = "ada") -> Gap:
    gaps.record(reply(text, decision, who).pk)
    return GapQuestion.objects.latest("pk").gap


@pytest.mark.parametrize(
    ("decision", "reason"), [("decline", "declined"), ("clarify", "unsure"), ("answer", ""), ("greeting", "")]
)
def test_what_is_noted(model: EmbeddingModel, decision: str, reason: str) -> None:
    gaps.record(reply("Do you sell a gift card?", decision).pk)
    assert [row.reason for row in GapQuestion.objects.all()] == [reason] * bool(reason)


def test_a_question_is_noted_once(model: EmbeddingModel) -> None:
    ended = reply("Do you sell a gift card?")
    gaps.record(ended.pk)
    gaps.record(ended.pk)
    gaps.record(uuid4())
    row = GapQuestion.objects.get()
    question = services.Question(row.message_id, "x", "en", "declined", row.asked_at, model, [1, 0, 0, 0])
    assert services.record(question, similarity=0.9) == row


def test_a_bad_verdict_is_a_gap_until_it_turns_good(model: EmbeddingModel) -> None:
    ended = reply("Do you paint?", "answer")
    conversations.give_feedback(user=person("ada"), message_id=ended.pk, value="down")
    gaps.record(ended.pk)
    assert GapQuestion.objects.get().reason == "not_helpful"
    conversations.give_feedback(user=person("ada"), message_id=ended.pk, value="up")
    gaps.record(ended.pk)
    assert not GapQuestion.objects.exists()


def test_a_handover_is_about_the_question_before_it(model: EmbeddingModel) -> None:
    first = reply("Do you paint a sofa?", "answer")
    wish = reply("I want to talk to a human", "human", conversation_id=first.conversation_id)
    gaps.record(wish.pk)
    row = GapQuestion.objects.get()
    assert (row.text, row.reason) == ("Do you paint a sofa?", "handed_over")
    lonely = reply("I want to talk to a human", "human", who="bob")
    gaps.record(lonely.pk)
    assert GapQuestion.objects.count() == 1


def test_a_takeover_by_an_agent_is_a_gap(model: EmbeddingModel) -> None:
    first = reply("Do you paint a sofa?", "answer")
    replies.take_over(conversation_id=first.conversation_id)
    event = Message.objects.get(type="event")
    assert gaps.concerns(event)
    gaps.record(event.pk)
    assert GapQuestion.objects.get().reason == "handed_over"


def test_an_answer_that_was_asked_for_again_takes_the_gap_back(model: EmbeddingModel) -> None:
    ended = reply("Do you paint?")
    gaps.record(ended.pk)
    replies.regenerate(user=person("ada"), message_id=ended.pk)
    gaps.record(ended.pk)
    assert not GapQuestion.objects.exists()


def test_flagged_messages_are_no_questions(model: EmbeddingModel) -> None:
    ended = reply("You paint!")
    Message.objects.filter(role="user").update(moderation={"flagged": True, "categories": [], "provider": "local"})
    gaps.record(ended.pk)
    assert not GapQuestion.objects.exists()


def test_committed_replies_and_verdicts_are_dispatched(
    model: EmbeddingModel, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, monkeypatch: Any
) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr("chatbot.events.dispatch", lambda task, *args: sent.append((task.name, str(args[0]))))
    with django_capture_on_commit_callbacks(execute=True):
        declined = reply("Do you paint?")
        answered = reply("When?", "answer", who="bob")
    with django_capture_on_commit_callbacks(execute=True):
        conversations.give_feedback(user=person("bob"), message_id=answered.pk, value="down")
    noted = [pk for name, pk in sent if name == "chatbot.tasks.record_gap"]
    assert noted == [str(declined.pk), str(answered.pk)]


def test_the_same_meaning_is_one_gap_with_a_stable_id(model: EmbeddingModel) -> None:
    first = asked("gift card")
    assert asked("A voucher card?", who="bob") == first
    assert asked("paint") != first
    assert asked("gift card please", who="bob") == first


def test_gaps_rank_by_different_people_lately(model: EmbeddingModel) -> None:
    for _ in range(3):
        asked("paint")
    for who in ("ada", "bob"):
        asked("gift card", who=who)
    asked("sofa", who="bob")
    asked("sofa", who="cid")
    asked("sofa", who="dan")
    sofa = GapQuestion.objects.filter(text="sofa")
    sofa.update(asked_at=timezone.now() - selectors.LATELY - timedelta(days=1))
    ranked = [(gap.label, gap.people, gap.asked) for gap in selectors.ranked()]  # type: ignore[attr-defined]
    assert ranked == [("gift card", 2, 2), ("paint", 1, 3), ("sofa", 0, 3)]


@pytest.mark.parametrize("close", ["dismiss", "merge", "draft"])
def test_closed_gaps_stay_closed_when_asked_again(model: EmbeddingModel, editor: User, close: str) -> None:
    category = Category.objects.create(name="Gifts", slug="gifts")
    faq = FAQ.objects.create(category=category, question="Gift cards?", answer="Yes.", status="published")
    gap = asked("gift card")
    if close == "dismiss":
        assert services.dismiss(gap=gap, user=editor)
        assert not services.dismiss(gap=gap, user=editor)
    elif close == "merge":
        assert services.merge(gap=gap, user=editor, faq=faq, phrasing="gift card")
        assert not services.merge(gap=gap, user=editor, faq=faq, phrasing="other")
        faq.refresh_from_db()
        assert faq.working.phrasings == ("gift card",)
    else:
        made = services.draft(gap=gap, user=editor, question="Gift cards?", category=category)
        assert made is not None
        assert (made.status, made.slug) == ("draft", "gift-cards-2")
        assert services.draft(gap=gap, user=editor, question="x", category=category) is None
    assert asked("gift card?", who="bob") == gap
    gap.refresh_from_db()
    assert (gap.status != "open", gap.questions.count(), Gap.objects.count()) == (True, 2, 1)
    services.reopen(gap=gap)
    gap.refresh_from_db()
    assert (gap.status, gap.faq) == ("open", None)


def test_deleting_a_conversation_deletes_its_questions(model: EmbeddingModel, editor: User) -> None:
    gap, other = asked("gift card"), asked("paint", who="bob")
    services.dismiss(gap=other, user=editor)
    for row in GapQuestion.objects.select_related("message__conversation"):
        conversations.delete(conversation=row.message.conversation)
    assert not GapQuestion.objects.exists()
    gaps.sweep()
    assert list(Gap.objects.all()) == [other]
    assert not Gap.objects.filter(pk=gap.pk).exists()
    assert asked("paint") == other


def test_the_sweep_notes_what_was_missed(model: EmbeddingModel) -> None:
    reply("gift card")
    reply("paint", "answer", who="bob")
    tasks.sweep_gaps()
    tasks.sweep_gaps()
    assert [row.text for row in GapQuestion.objects.all()] == ["gift card"]


def test_gaps_that_turn_out_to_be_one_are_joined(model: EmbeddingModel, editor: User) -> None:
    elder, younger, dismissed = asked("gift"), asked("gift card card"), asked("paint")
    strays = asked("sofa")
    services.dismiss(gap=dismissed, user=editor)
    GapQuestion.objects.filter(gap=younger).update(embedding=[1, 0.2, 0, 0])
    GapQuestion.objects.filter(gap=strays).update(embedding=[0, 0, 0.1, 1])
    services.refresh([younger.pk, strays.pk])
    recluster(model=model, similarity=0.9)
    assert set(Gap.objects.all()) == {elder, dismissed}
    assert (elder.questions.count(), dismissed.questions.count()) == (2, 2)


def test_a_question_moves_to_a_gap_that_fits_clearly_better(model: EmbeddingModel) -> None:
    gift, paint = asked("gift"), asked("paint")
    moved = GapQuestion.objects.get(gap=gift)
    asked("gift voucher", who="bob")
    GapQuestion.objects.filter(pk=moved.pk).update(embedding=[0, 0, 0, 1])
    recluster(model=model, similarity=0.9)
    moved.refresh_from_db()
    assert (moved.gap, gift.questions.count()) == (paint, 1)


def test_gaps_follow_a_new_embedding_model(model: EmbeddingModel, embedder: Embedder, monkeypatch: Any) -> None:
    gap = asked("gift card")
    new = knowledge.register_model(provider="local", name="new", width=4, languages=[])
    monkeypatch.setattr("chatbot.providers.registry.usable_models", lambda: [(new, Embedder(scale=[9, 1, 1, 1]))])
    gaps.sweep()
    gap.refresh_from_db()
    assert gap.model == new
    assert asked("gift voucher card", who="bob") == gap


def test_without_a_model_or_provider_questions_wait(
    model: EmbeddingModel, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = reply("gift card")
    embedder.fails = True
    tasks.record_gap(str(ended.pk))
    tasks.sweep_gaps()
    monkeypatch.setattr("chatbot.providers.registry.usable_models", list)
    tasks.record_gap(str(ended.pk))
    tasks.sweep_gaps()
    assert not GapQuestion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_that_is_gone_leaves_no_question(model: EmbeddingModel, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = reply("gift card")
    question = services.Question(uuid4(), "x", "en", "declined", timezone.now(), model, [1, 0, 0, 0])
    with pytest.raises(IntegrityError):
        services.record(question, similarity=0.9)
    store = services.record

    def deleted_meanwhile(question: services.Question, *, similarity: float) -> GapQuestion:
        conversations.delete(conversation=ended.conversation)
        return store(question, similarity=similarity)

    monkeypatch.setattr(services, "record", deleted_meanwhile)
    gaps.record(ended.pk)
    assert not Gap.objects.exists()


@pytest.mark.parametrize("rows", [1, 5])
def test_the_list_takes_a_fixed_number_of_queries(
    model: EmbeddingModel, rows: int, editor: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for text in ["gift", "card", "sofa", "paint", "gift card sofa"][:rows]:
        asked(text)
    client = Client()
    client.force_login(editor)
    with django_assert_num_queries(7):
        page = client.get("/admin/faqs/gap/").content.decode()
    assert "gift" in page


def test_editors_close_gaps_with_one_click(model: EmbeddingModel, editor: User) -> None:
    category = Category.objects.create(name="Gifts", slug="gifts")
    faq = FAQ.objects.create(category=category, question="Gift cards?", answer="Yes.", status="published")
    vectors = {text: [0.7, 0.7, 0.0, 0.0] for _kind, text in knowledge.texts_of(faq)}
    knowledge.store_embeddings(model=model, faqs=[faq], vectors=vectors)
    client = Client()
    client.force_login(editor)
    gift, paint, sofa = asked("gift card <b>"), asked("paint"), asked("sofa")

    def address(gap: Gap) -> str:
        return f"/admin/faqs/gap/{gap.pk}/change/"

    page = client.get(address(gift)).content.decode()
    assert "gift card &lt;b&gt;" in page
    assert "Gift cards?" in page
    assert "Choose one" in client.post(address(gift), {"action": "merge", "question": "x"}).content.decode()
    assert "Write the question" in client.post(address(gift), {"action": "draft"}).content.decode()
    client.post(address(gift), {"action": "merge", "question": "gift card", "faq": faq.pk})
    made = client.post(address(paint), {"action": "draft", "question": "Do you paint?", "category": category.pk})
    assert made.headers["Location"] == f"/admin/faqs/faq/{FAQ.objects.get(question='Do you paint?').pk}/change/"
    late = {"action": "draft", "question": "Do you paint?", "category": category.pk}
    assert "closed this gap" in client.post(address(paint), late, follow=True).content.decode()
    client.post(address(sofa), {"action": "dismiss"})
    assert [gap.status for gap in Gap.objects.order_by("pk")] == ["merged", "drafted", "dismissed"]
    assert "sofa" in client.get("/admin/faqs/gap/?status=dismissed").content.decode()
    assert "Open it again" in client.get(address(sofa)).content.decode()
    client.post(address(sofa), {"action": "reopen"})
    assert Gap.objects.get(pk=sofa.pk).status == "open"
    assert client.get("/admin/faqs/gap/999/change/").status_code == 404
    GapQuestion.objects.all().delete()
    assert "conversations were deleted" in client.get("/admin/faqs/gap/").content.decode()


@pytest.mark.parametrize(("role", "status"), [("user", 302), ("agent", 403), ("analyst", 403), ("admin", 200)])
def test_who_sees_gaps(model: EmbeddingModel, role: str, status: int) -> None:
    gap = asked("gift")
    user = User.objects.create(email="who@example.com", role=role)
    sync_role(user)
    client = Client()
    client.force_login(user)
    assert client.get(f"/admin/faqs/gap/{gap.pk}/change/").status_code == status
    assert client.post(f"/admin/faqs/gap/{gap.pk}/change/", {"action": "dismiss"}).status_code in (status, 302)
    assert (Gap.objects.get().status == "dismissed") == (role == "admin")
