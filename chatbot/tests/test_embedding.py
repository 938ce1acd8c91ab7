"""The vectors follow the texts: after a change, a loss, another provider."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from benchmarks.fake_llm import FakeLLM
from chatbot import embedding, retrieval, tasks
from chatbot.providers import registry
from chatbot.providers.base import ProviderUnavailable
from faqs import selectors, services
from faqs.models import FAQ, Embedding, EmbeddingModel, Phrasing

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_embedding_sweep_repairs_what_is_stale(knowledge: None) -> None:
    before = Embedding.objects.count()
    Embedding.objects.filter(kind="question").delete()
    tasks.sweep_embeddings()
    assert Embedding.objects.count() == before
    tasks.embed_faq(0)


def test_a_change_of_provider_embeds_anew_and_leaves_the_old_vectors(knowledge: None, openai_worker: FakeLLM) -> None:
    before = Embedding.objects.count()
    openai_worker.behave(status=500, endpoint="embeddings")
    tasks.sweep_embeddings()
    tasks.embed_faq(FAQ.objects.values_list("pk", flat=True)[0])
    assert Embedding.objects.count() == before
    openai_worker.behave(status=0)
    tasks.sweep_embeddings()
    assert Embedding.objects.filter(model__provider="openai").count() == 6
    assert Embedding.objects.filter(model__provider="local").count() == before
    decision, passages = retrieval.preview("When will my order arrive?", "en")
    assert (decision, passages[0].question) == ("answer", "When will my order arrive?")


def test_a_sweep_of_vectors_ends_in_time(knowledge: None) -> None:
    Embedding.objects.all().delete()
    embedding.embed_stale(seconds=-1)
    assert not Embedding.objects.exists()


def test_one_sweep_of_vectors_runs_at_a_time(knowledge: None) -> None:
    Embedding.objects.all().delete()
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(execute, f"SELECT pg_advisory_lock({embedding.SWEEPING})").result()
        embedding.embed_stale(seconds=60)
        assert not Embedding.objects.exists()
        elsewhere.submit(execute, "SELECT pg_advisory_unlock_all()", close=True).result()
    embedding.embed_stale(seconds=60)
    assert Embedding.objects.count() == 12


def execute(sql: str, *, close: bool = False) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)
    if close:
        connection.close()


class Counting:
    """An embedder that notes what it was asked, and fails from a request on."""

    name, provider, width, languages = "counting", "test", 2, ()

    def __init__(self, *, fails_from: int = 1000) -> None:
        self.requests = threading.Semaphore(0)
        self.asked = 0
        self.fails_from = fails_from

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked += 1
        self.requests.release()
        if self.asked >= self.fails_from:
            raise ProviderUnavailable("gone")
        return [[1.0, 0.0] for _ in texts]


def kept(monkeypatch: pytest.MonkeyPatch, embedder: Counting) -> EmbeddingModel:
    """The only model that is kept, with a request for each FAQ."""
    model = embedding.register(embedder, live=False)
    monkeypatch.setattr(registry, "kept_models", lambda: [(model, embedder)])
    monkeypatch.setattr(embedding, "BATCH", 1)
    return model


def test_what_was_embedded_is_stored_while_the_next_is_on_its_way(
    knowledge: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder, store, overlapped = Counting(), services.store_embeddings, list[bool]()
    model = kept(monkeypatch, embedder)

    def store_later(**given: Any) -> None:
        if not overlapped:
            overlapped.append(all(embedder.requests.acquire(timeout=5) for _ in range(2)))
        store(**given)

    monkeypatch.setattr(services, "store_embeddings", store_later)
    embedding.embed_stale(seconds=60)
    assert overlapped == [True]
    assert model.embeddings.values("faq").distinct().count() == 2


def test_what_was_embedded_before_a_failure_is_stored(knowledge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Counting(fails_from=2)
    model = kept(monkeypatch, embedder)
    embedding.embed_stale(seconds=60)
    assert model.embeddings.values("faq").distinct().count() == 1
    embedder.fails_from = 1000
    embedding.embed_stale(seconds=60)
    assert model.embeddings.values("faq").distinct().count() == 2


def test_after_a_failure_nothing_more_is_asked_for(knowledge: None, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = Counting(fails_from=1)
    model = kept(monkeypatch, embedder)
    embedding.embed_stale(seconds=60)
    assert embedder.asked == 1
    assert not model.embeddings.exists()


def test_a_text_that_moves_to_another_faq_has_its_vector_when_a_model_was_built(
    knowledge: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Counting()
    model = kept(monkeypatch, embedder)
    list(embedding.build(model, embedder))
    one, other = Phrasing.objects.order_by("faq_id")
    Phrasing.objects.filter(pk=other.pk).update(text=one.text)
    Phrasing.objects.filter(pk=one.pk).update(text="Something else")
    list(embedding.build(model, embedder))
    assert not selectors.stale_faqs(model, 10)
    assert model.embeddings.filter(faq=other.faq, text_hash=Embedding.hash_of(one.text)).exists()
