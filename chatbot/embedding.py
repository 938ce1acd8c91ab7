"""Keeps the FAQs' vectors in step with their texts, for every model that is kept."""

import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from itertools import takewhile
from typing import NamedTuple

import structlog
from django.db import connection

from faqs import selectors, services
from faqs.models import FAQ, EmbeddingModel

from . import runtime, search
from .providers import registry
from .providers.base import Embedder, ProviderError

log = structlog.get_logger(__name__)

# FAQs whose texts are embedded in one request, and how many stale ones are looked up at once.
BATCH = 32
LOOK_UP = 512
# "embeddings" as an advisory lock of PostgreSQL.
SWEEPING = 0x656D6265


def register_models() -> None:
    """Make sure that the configured models exist in the database with their indexes; they build while others can be used."""
    at_once = not registry.usable_models()
    for embedder in registry.embedders():
        register(embedder, live=at_once)


def register(embedder: Embedder, *, live: bool) -> EmbeddingModel:
    return services.register_model(
        provider=embedder.provider,
        name=embedder.name,
        width=embedder.width,
        languages=list(embedder.languages),
        live=live,
    )


def embed_faq(faq_id: int) -> None:
    """Bring one FAQ's vectors up to date; those of texts that it no longer has go. Raises ProviderError."""
    register_models()
    faq = FAQ.objects.prefetch_related("phrasings").filter(pk=faq_id).first()
    if faq is None:
        return
    for model, embedder in registry.kept_models():
        list(_embed_each(model, embedder, [[faq]]))


def embed_stale(*, seconds: float) -> None:
    """Repair what differs from the texts, model by model, for at most about so long; the next sweep goes on.

    One sweep runs at a time: another one would do the same work.
    """
    register_models()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SWEEPING])
        if not cursor.fetchone()[0]:
            return
        try:
            _sweep(until=time.monotonic() + seconds)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [SWEEPING])


def _sweep(*, until: float) -> None:
    for model, embedder in registry.kept_models():
        in_time = takewhile(lambda _faqs: time.monotonic() <= until, _stale_faqs(model))
        try:
            list(_embed_each(model, embedder, in_time))
        except ProviderError as error:
            log.warning("embedding_postponed", model=model.name, error=error.code)


def build(model: EmbeddingModel, embedder: Embedder) -> Iterator[tuple[int, int]]:
    """Bring one model up to date, telling after each batch how many FAQs are done of how many. Raises ProviderError."""
    batches = list(_stale_faqs(model))
    done, total = 0, sum(map(len, batches))
    yield done, total
    for faqs in _embed_each(model, embedder, batches):
        done += len(faqs)
        yield done, total
    # What changed meanwhile, and whose text moved.
    list(_embed_each(model, embedder, _stale_faqs(model)))


def switch_when_built() -> bool:
    """Put the configured models in the place of others once all of them are complete; a model that somebody retired stays so."""
    configured = [(model, one) for model, one in registry.kept_models() if one in registry.embedders()]
    models = [model for model, _embedder in configured]
    building = any(model.status == EmbeddingModel.Status.BUILDING for model in models)
    if (
        not building
        or len(models) < len(registry.embedders())
        or any(selectors.stale_faqs(model, 1) for model in models)
    ):
        return False
    retired = services.switch_models(models=models)
    log.info("models_switched", to=[str(model) for model in models], retired=[str(model) for model in retired])
    return True


def _stale_faqs(model: EmbeddingModel) -> Iterator[Sequence[FAQ]]:
    """Each once, so that one whose repair does not help cannot hold the others up."""
    after = 0
    while faqs := selectors.stale_faqs(model, LOOK_UP, after):
        yield from (faqs[start : start + BATCH] for start in range(0, len(faqs), BATCH))
        after = faqs[-1].pk


class _Batch(NamedTuple):
    """FAQs whose lacking `texts` are being embedded."""

    faqs: Sequence[FAQ]
    texts: list[str]
    vectors: "Future[list[list[float]]] | None"

    def made(self) -> dict[str, list[float]]:
        """The vectors by text, once they are there. Raises ProviderError."""
        vectors = self.vectors.result() if self.vectors is not None else []
        return dict(zip(self.texts, vectors, strict=True))


def _begin(model: EmbeddingModel, embedder: Embedder, faqs: Sequence[FAQ]) -> _Batch:
    texts = services.missing_texts(model, faqs)
    return _Batch(faqs, texts, runtime.start(embedder.embed(texts)) if texts else None)


def _embed_each(model: EmbeddingModel, embedder: Embedder, batches: Iterable[Sequence[FAQ]]) -> Iterator[Sequence[FAQ]]:
    """Embed the FAQs' texts that this model lacks; each batch is stored, and told, while the next is embedded. Raises ProviderError.

    A text that moves from a FAQ of one batch to one of the next may lose its vector on the way: that FAQ is stale still.
    """
    begun: _Batch | None = None
    for faqs in batches:
        before, vectors = begun, begun.made() if begun is not None else {}
        begun = _begin(model, embedder, faqs)
        if before is not None:
            yield _store(model, before.faqs, vectors)
    if begun is not None:
        yield _store(model, begun.faqs, begun.made())


def _store(model: EmbeddingModel, faqs: Sequence[FAQ], vectors: dict[str, list[float]]) -> Sequence[FAQ]:
    services.store_embeddings(model=model, faqs=faqs, vectors=vectors)
    search.forget_results()
    return faqs
