"""Models as data: another one is built beside the live one, compared, switched to at once, and rolled back."""

from collections.abc import Sequence
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from chatbot import comparison, embedding, golden, retrieval, tasks
from chatbot.comparison import Tally
from chatbot.golden import GoldenQuestion
from chatbot.live_models import live_models
from chatbot.providers import registry
from chatbot.providers.base import ProviderUnavailable
from faqs import selectors
from faqs.models import FAQ, EmbeddingModel

from .asking import make_faqs

pytestmark = pytest.mark.django_db(transaction=True)
ENGLISH, ALL = "bge-small-en-v1.5-mean", "use-multilingual-v3"


def reindex(*arguments: str) -> str:
    out = StringIO()
    call_command("reindex", *arguments, stdout=out)
    return out.getvalue()


def live_names() -> list[str]:
    return [model.name for model in selectors.live_models()]


def answered_by() -> tuple[str, str]:
    """The decision on a question, and the model that it was searched with."""
    live_models.forget()
    decision, _passages = retrieval.preview("When will my order arrive?", "en")
    covering = [live.model for live in live_models.models if live.model.covers("en")]
    return decision, min(covering, key=lambda model: not model.languages).name


@pytest.fixture
def knowledge() -> None:
    make_faqs()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[GoldenQuestion]:
    """Golden questions of the little knowledge base."""
    found: list[GoldenQuestion] = []
    monkeypatch.setattr(golden, "questions", lambda: found)
    return found


def test_a_switch_and_its_rollback(knowledge: None, asked: list[GoldenQuestion]) -> None:
    faqs = FAQ.objects.order_by("pk")
    asked += [
        GoldenQuestion("When will my order arrive?", "en", faqs[0].pk),
        GoldenQuestion("Why is the sky blue?", "en", None),
    ]
    assert answered_by() == ("answer", ENGLISH)
    out = reindex("--model", ALL)
    assert "2 right, 0 asked back, 0 declined, 0 wrong" in out
    assert f"local/{ALL} is live; retired: local/{ENGLISH}." in out
    assert live_names() == [ALL]
    assert answered_by() == ("answer", ALL)
    assert "is live already" in reindex("--model", ALL)
    FAQ.objects.filter(pk=faqs[0].pk).update(question="How long does delivery take?")
    tasks.sweep_embeddings()
    assert live_names() == [ALL]
    assert reindex("--rollback") == f"Live again: local/{ENGLISH}.\n"
    assert live_names() == [ENGLISH]
    model = EmbeddingModel.objects.get(name=ENGLISH)
    assert selectors.stale_faqs(model, 10) == []
    assert answered_by() == ("answer", ENGLISH)
    assert "retired" in reindex("--list")


def test_building_and_comparing_switches_nothing(knowledge: None, asked: list[GoldenQuestion]) -> None:
    assert "nothing was switched" in reindex("--model", ALL, "--compare-only")
    assert live_names() == [ENGLISH, ALL]
    with pytest.raises(CommandError, match="nothing to roll back to"):
        reindex("--rollback")


def test_one_that_answers_less_is_not_switched_to(
    knowledge: None, asked: list[GoldenQuestion], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "of_model", lambda model, embedder: Tally(right=0))
    monkeypatch.setattr(comparison, "of_live_models", lambda: Tally(right=1))
    with pytest.raises(CommandError, match="fewer golden questions"):
        reindex("--model", ALL)
    assert live_names() == [ENGLISH, ALL]
    assert "is live" in reindex("--model", ALL, "--force")
    assert live_names() == [ALL]


def test_an_unknown_model_is_named_with_those_that_there_are() -> None:
    with pytest.raises(CommandError, match=f"No model 'word2vec'.*{ENGLISH}, {ALL}"):
        reindex("--model", "word2vec")


class Other:
    """A model that the settings start to name."""

    provider, name, width, languages = "other", "new", 4, ()

    def __init__(self) -> None:
        self.away = True

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        if self.away:
            raise ProviderUnavailable
        return [[1.0, float(len(text)), 0.0, 0.0] for text in texts]


def test_a_new_configured_model_takes_over_once_it_is_complete(
    knowledge: None, asked: list[GoldenQuestion], monkeypatch: pytest.MonkeyPatch
) -> None:
    other, before = Other(), list(registry.embedders())
    monkeypatch.setattr(registry, "embedders", lambda: [other])
    monkeypatch.setattr(registry, "available", lambda: [other, *before])
    tasks.sweep_embeddings()
    assert answered_by() == ("answer", ENGLISH)
    with pytest.raises(CommandError, match="what is live stays live"):
        reindex("--model", "new")
    assert live_names() == [ENGLISH, ALL]
    other.away = False
    tasks.sweep_embeddings()
    assert live_names() == ["new"]
    assert answered_by()[1] == "new"
    assert embedding.switch_when_built() is False


def test_a_model_that_went_away_with_its_key_cannot_come_back(
    knowledge: None, asked: list[GoldenQuestion], monkeypatch: pytest.MonkeyPatch
) -> None:
    reindex("--model", ALL)
    both = registry.available()
    monkeypatch.setattr(registry, "available", lambda: [one for one in both if one.name == ALL])
    with pytest.raises(CommandError, match="not available with these settings"):
        reindex("--rollback")
    assert "not available" in reindex("--list")
    assert live_names() == [ALL]
