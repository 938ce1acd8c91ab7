"""Search for pages and programs: by meaning and words, kept in Redis, right when Redis or the model is away."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.cache import caches
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from chatbot import search
from chatbot.providers.base import ProviderUnavailable
from chatbot.search import search_faqs
from faqs import publishing
from faqs import services as knowledge
from faqs.models import FAQ, Category, EmbeddingModel

WORDS = {"arrive": 0, "delivery": 0, "sofa": 1, "pay": 2, "zebra": 3}


@dataclass
class Embedder:
    fails: bool = False
    asked: list[str] = field(default_factory=list)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.fails:
            raise ProviderUnavailable("away")
        self.asked += texts
        return [self.vector(text) for text in texts]

    @staticmethod
    def vector(text: str) -> list[float]:
        vector = [0.0, 0.0, 0.0, 0.0, 0.01]
        for word in text.lower().replace("?", "").split():
            if word in WORDS:
                vector[WORDS[word]] = 1.0
        return vector


@pytest.fixture
def embedder(db: None, monkeypatch: pytest.MonkeyPatch) -> Embedder:
    caches["default"].clear()
    embedder = Embedder()
    model = knowledge.register_model(provider="local", name="tiny", width=5, languages=[])
    monkeypatch.setattr("chatbot.providers.registry.usable_models", lambda: [(model, embedder)])
    return embedder


@pytest.fixture
def faqs(embedder: Embedder) -> list[FAQ]:
    category = Category.objects.create(name="Delivery", slug="delivery")
    rows = [("When does it arrive?", "en"), ("How do I pay?", "en"), ("Sofa liefern?", "de")]
    return [
        embedded(
            FAQ.objects.create(
                category=category, question=text, answer="Two **days**", language=language, status="published"
            )
        )
        for text, language in rows
    ]


def embedded(faq: FAQ) -> FAQ:
    vectors = {text: Embedder.vector(text) for _kind, text in knowledge.texts_of(faq)}
    knowledge.store_embeddings(model=EmbeddingModel.objects.get(), faqs=[faq], vectors=vectors)
    return faq


def found(query: str, language: str = "en") -> list[str]:
    return [passage.question for passage in search_faqs(query=query, language=language)]


def test_results_have_scores_and_what_is_far_is_left_out(faqs: list[FAQ]) -> None:
    (passage,) = search_faqs(query="delivery", language="en")
    assert (passage.question, round(passage.score, 2), passage.matched) == ("When does it arrive?", 1.0, "question")
    assert found("   ") == []
    assert found("sofa", "de") == ["Sofa liefern?"]
    assert found("delivery", "de") == ["When does it arrive?"]


def test_a_second_search_reads_only_the_texts(
    faqs: list[FAQ], embedder: Embedder, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        first = search_faqs(query="delivery ", language="en")
    with django_assert_num_queries(1):
        assert search_faqs(query="delivery", language="en") == first
    search.forget_results()
    assert search_faqs(query="delivery", language="en") == first
    assert embedder.asked == ["delivery"]


def test_what_is_unpublished_or_edited_shows_at_once(
    faqs: list[FAQ], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    assert found("pay") == ["How do I pay?"]
    FAQ.objects.filter(pk=faqs[1].pk).update(question="How to pay?")
    assert found("pay") == ["How to pay?"]
    FAQ.objects.filter(pk=faqs[1].pk).update(status="archived")
    assert found("pay") == []


def test_publishing_and_embedding_end_what_was_kept(
    faqs: list[FAQ], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, monkeypatch: Any
) -> None:
    monkeypatch.setattr("chatbot.events.dispatch", lambda task, *args: None)
    assert found("sofa") == []
    draft = FAQ.objects.create(category=faqs[0].category, question="A sofa?", answer="Yes", status="draft")
    with django_capture_on_commit_callbacks(execute=True):
        publishing.place(faqs=[draft], status="published", by=None, comment="")
    embedded(draft)
    assert found("sofa") == ["A sofa?"]
    other = embedded(
        FAQ.objects.create(category=draft.category, question="Other sofa?", answer="x", status="published")
    )
    assert found("sofa") == ["A sofa?"]
    with django_capture_on_commit_callbacks(execute=True), knowledge.announced_together():
        knowledge.announce(other.pk)
    assert sorted(found("sofa")) == ["A sofa?", "Other sofa?"]


def test_without_redis_it_searches_anew(faqs: list[FAQ], embedder: Embedder, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert found("pay") == found("pay") == ["How do I pay?"]
    assert embedder.asked == ["pay", "pay"]


def test_without_a_model_it_searches_by_words(faqs: list[FAQ], embedder: Embedder, monkeypatch: Any) -> None:
    embedder.fails = True
    assert sorted(found('arriving -pay "')) == ["How do I pay?", "When does it arrive?"]
    assert found("?!") == []
    monkeypatch.setattr("chatbot.providers.registry.usable_models", list)
    (passage,) = search_faqs(query="paying", language="en")
    assert (passage.question, passage.matched, 0 < passage.score < 1) == ("How do I pay?", "words", True)


def test_the_results_page(client: Client, faqs: list[FAQ], django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        page = client.get("/help/?q=delivery").content.decode()
    assert "When does it arrive?" in page
    assert "Two days" in page
    assert "noindex" in page
    assert "Nothing was found" in client.get("/help/", {"q": "zebra"}).content.decode()
    assert "<b>zebra" not in client.get("/help/", {"q": "<b>zebra</b>"}).content.decode()
    assert client.get("/help/", {"q": ""}).status_code == 200
    assert client.get("/help/", {"q": "x" * 301}).status_code == 400
    assert client.get("/help/", {"q": "a\x00b"}).status_code == 400
