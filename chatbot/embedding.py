"""Keeps the FAQs' vectors in step with their texts, for every model that is kept."""

import time
from collections.abc import Iterator

import structlog

from faqs import selectors, services
from faqs.models import FAQ, EmbeddingModel

from . import runtime
from .providers import registry
from .providers.base import Embedder, ProviderError

log = structlog.get_logger(__name__)

BATCH = 200


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
        _embed_with(model, embedder, faq)


def embed_stale(*, seconds: float) -> None:
    """Repair what differs from the texts, model by model, for at most about so long; the next sweep goes on."""
    register_models()
    until = time.monotonic() + seconds
    for model, embedder in registry.kept_models():
        try:
            for faq in _stale_faqs(model):
                if time.monotonic() > until:
                    return
                _embed_with(model, embedder, faq)
        except ProviderError as error:
            log.warning("embedding_postponed", model=model.name, error=error.code)


def build(model: EmbeddingModel, embedder: Embedder) -> Iterator[tuple[int, int]]:
    """Bring one model up to date, telling after each FAQ how many are done of how many. Raises ProviderError."""
    stale = list(_stale_faqs(model))
    yield 0, len(stale)
    for done, faq in enumerate(stale, 1):
        _embed_with(model, embedder, faq)
        yield done, len(stale)


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


def _stale_faqs(model: EmbeddingModel) -> Iterator[FAQ]:
    """Each once, so that one whose repair does not help cannot hold the others up."""
    after = 0
    while faqs := selectors.stale_faqs(model, BATCH, after):
        yield from faqs
        after = faqs[-1].pk


def _embed_with(model: EmbeddingModel, embedder: Embedder, faq: FAQ) -> None:
    """Embed the FAQ's texts that this model lacks. Raises ProviderError."""
    texts = services.texts_of(faq) if model.covers(faq.language) else []
    missing = services.missing_texts(model, faq) if texts else []
    vectors = runtime.run(embedder.embed([text for _kind, text in missing])) if missing else []
    services.store_embeddings(model=model, faq=faq, texts=texts, vectors=dict(zip(missing, vectors, strict=True)))
