"""Keeps the FAQs' vectors in step with their texts, for every model that is kept."""

from faqs import selectors, services
from faqs.models import FAQ, EmbeddingModel

from . import runtime
from .providers import registry


def register_models() -> None:
    """Make sure that the configured models exist in the database with their indexes."""
    for embedder in registry.embedders():
        services.register_model(
            provider=embedder.provider, name=embedder.name, width=embedder.width, languages=list(embedder.languages)
        )


def embed_faq(faq_id: int) -> None:
    """Bring one FAQ's vectors up to date; those of texts that it no longer has go."""
    register_models()
    faq = FAQ.objects.prefetch_related("phrasings").filter(pk=faq_id).first()
    if faq is None:
        return
    for model in selectors.live_models():
        embed_with(model, faq)


def embed_with(model: EmbeddingModel, faq: FAQ) -> None:
    """Embed the FAQ's texts that this model lacks. Raises ProviderError; the sweep comes back to it."""
    texts = services.texts_of(faq) if model.covers(faq.language) else []
    missing = services.missing_texts(model, faq) if texts else []
    vectors = runtime.run(registry.embedder(model).embed([text for _kind, text in missing])) if missing else []
    services.store_embeddings(model=model, faq=faq, texts=texts, vectors=dict(zip(missing, vectors, strict=True)))
