"""Heads in the database: fitted on what is published, used while fresh, else the nearest text decides."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import OperationalError

from chatbot import confidence, fitting, ranking, retrieval, tasks
from chatbot.golden import GoldenQuestion
from chatbot.live_models import LiveModel, live_models
from chatbot.providers import registry
from chatbot.providers.base import ProviderUnavailable
from chatbot.runtime import run
from faqs import selectors, services
from faqs.models import FAQ, Category, Embedding, EmbeddingModel, Head, Phrasing

pytestmark = pytest.mark.django_db(transaction=True)
WIDTH = 8


def unit(seed: int) -> list[float]:
    vector = np.random.default_rng(seed).normal(size=WIDTH)
    return (vector / np.linalg.norm(vector)).tolist()  # type: ignore[no-any-return]


@pytest.fixture
def model() -> EmbeddingModel:
    return services.register_model(provider="local", name="tiny", width=WIDTH, languages=["en"])


def publish(model: EmbeddingModel, count: int) -> list[FAQ]:
    category = Category.objects.create(name="All", slug="all")
    faqs = []
    for number in range(count):
        faq = FAQ.objects.create(category=category, question=f"Q{number}", answer=f"A{number}", status="published")
        Phrasing.objects.create(faq=faq, text=f"P{number}")
        vectors = {text: unit(10 * number + place) for place, (_kind, text) in enumerate(services.texts_of(faq))}
        services.store_embeddings(model=model, faqs=[faq], vectors=vectors)
        faqs.append(faq)
    return faqs


class Tiny:
    """An embedder whose texts are numbers of known vectors."""

    provider, name, width, languages = "local", "tiny", WIDTH, ("en",)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        return [unit(int(text)) for text in texts]


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    made = Tiny()
    monkeypatch.setattr(registry, "embedders", lambda: [made])
    return made


def live() -> LiveModel:
    live_models.forget()
    found = run(live_models.covering("en"))
    assert found is not None
    return found


def test_stored_vectors_are_what_was_stored(model: EmbeddingModel) -> None:
    (faq,) = publish(model, 1)
    knowledge = fitting.Knowledge.of(selectors.stored_vectors(model))
    kinds = Embedding.objects.order_by("pk").values_list("kind", "embedding")
    assert np.allclose(
        knowledge.vectors, [vector.tolist() if hasattr(vector, "tolist") else vector for _kind, vector in kinds]
    )
    assert knowledge.is_answer.tolist() == [kind == "answer" for kind, _vector in kinds]
    assert knowledge.ids.tolist() == [faq.pk]
    assert (knowledge.place_of(faq.pk), knowledge.place_of(faq.pk + 1), knowledge.place_of(None)) == (0, -1, -1)


def test_a_head_is_fitted_once_and_again_when_vectors_change(model: EmbeddingModel, tiny: Tiny) -> None:
    faqs = publish(model, ranking.FAQS_AT_LEAST)
    assert live().head is None
    assert fitting.fit_stale() == [model]
    assert fitting.fit_stale() == []
    assert live().head is not None
    for changed in faqs[:4]:
        Embedding.objects.filter(faq=changed, kind="phrasing").delete()
        assert live().head is None
        assert fitting.fit_stale() == [model]
    assert Head.objects.count() == services.HEADS_KEPT


async def second_look() -> LiveModel:
    """The model after the look in the background that this call starts."""
    live_models.until = 0.0
    assert await live_models.covering("en") is not None
    assert live_models.looking is not None
    await live_models.looking
    found = await live_models.covering("en")
    assert found is not None
    return found


def test_a_loaded_head_is_not_read_again(model: EmbeddingModel, tiny: Tiny) -> None:
    publish(model, ranking.FAQS_AT_LEAST)
    fitting.fit_stale()
    first = live()
    assert run(second_look()).head is first.head
    Embedding.objects.filter(kind="phrasing").delete()
    assert run(second_look()).head is None


def test_what_is_known_stays_in_use_while_the_database_is_away(
    model: EmbeddingModel, tiny: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(model, 3)
    first = live()

    def away() -> None:
        raise OperationalError

    monkeypatch.setattr(registry, "usable_models", away)
    assert run(second_look()) is first


def test_few_faqs_have_no_head_but_an_entry(model: EmbeddingModel, tiny: Tiny) -> None:
    publish(model, 3)
    assert fitting.fit_stale() == [model]
    assert bytes(Head.objects.get().weights) == b""
    assert live().head is None
    FAQ.objects.update(status="archived")
    Embedding.objects.all().delete()
    assert fitting.fit_stale() == [model]


def test_golden_questions_move_the_calibration_of_their_language(model: EmbeddingModel, tiny: Tiny) -> None:
    faqs = publish(model, 40)
    wrong = [GoldenQuestion(str(10 * number), "en", faqs[(number + 1) % 40].pk) for number in range(40)]
    right = [GoldenQuestion(str(10 * number), "en", faq.pk) for number, faq in enumerate(faqs)]
    found = []
    for questions in (right, wrong, [GoldenQuestion("5", "de", None)]):
        fitting.fit_model(model, tiny, questions)
        calibration = live().calibration("en", with_head=True)
        found.append(float(calibration.probabilities(np.array([0.9, 0.9, 0.4]))[0]))
    assert found[0] > found[1]
    assert set(Head.objects.latest("pk").calibrations) == {"en"}
    assert live().calibration("de", with_head=True) == confidence.shipped("tiny", with_head=True)


def test_a_candidate_that_the_head_does_not_know_is_ranked_by_cosine(model: EmbeddingModel, tiny: Tiny) -> None:
    faqs = publish(model, ranking.FAQS_AT_LEAST)
    fitting.fit_stale()
    with_head = live()
    passages = selectors.searching(model=model, vector=unit(0), query_text="", language="en", limit=5).ask()
    assert retrieval.judge(with_head, "0", unit(0), passages, "en").passages[0].faq_id == faqs[0].pk
    stranger = [*passages[:-1], selectors.Passage(10_000, "x", "en", "X", "X", 0.1, "question")]
    plain = retrieval.judge(with_head, "0", unit(0), stranger, "en")
    assert [one.score for one in plain.passages] == sorted((one.score for one in stranger), reverse=True)


def test_a_provider_that_is_away_leaves_the_fit_to_the_sweep(
    model: EmbeddingModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> list[EmbeddingModel]:
        raise ProviderUnavailable

    monkeypatch.setattr(fitting, "fit_stale", away)
    tasks.fit_heads()
    assert not Head.objects.exists()


def test_many_changes_are_one_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tasks, "dispatch", lambda task, **options: sent.append((task.name, options)))
    cache.delete("fit-heads")
    for _ in range(3):
        tasks.fit_soon()
    assert sent == [("chatbot.tasks.fit_heads", {"countdown": tasks.FIT_SECONDS})]

    def away(*args: object, **options: object) -> bool:
        raise OSError

    monkeypatch.setattr(cache, "add", away)
    tasks.fit_soon()
    assert len(sent) == 1
    cache.delete("fit-heads")


def test_the_demo_content_has_calibrations_of_its_own() -> None:
    call_command("load_demo")
    tasks.sweep_embeddings()
    english = EmbeddingModel.objects.get(name="bge-small-en-v1.5-mean")
    assert "en" in Head.objects.get(model=english).calibrations
    assert live().head is not None
