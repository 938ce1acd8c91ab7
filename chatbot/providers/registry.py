"""The providers of this process, by settings: made once, used from the one loop."""

from functools import cache

from django.conf import settings

from faqs.models import EmbeddingModel

from .base import Embedder, Moderator, ProviderRejected
from .local import LocalEmbedder, LocalModerator
from .openai import OpenAIEmbedder, OpenAIProvider


@cache
def chat() -> OpenAIProvider:
    """The OpenAI-compatible provider; the local one composes without a model (`compose`)."""
    return OpenAIProvider(
        api_key=settings.OPENAI_API_KEY,
        base_url=settings.OPENAI_BASE_URL,
        chat_model=settings.OPENAI_CHAT_MODEL,
        embedding_model=settings.OPENAI_EMBEDDING_MODEL,
        embedding_width=settings.OPENAI_EMBEDDING_WIDTH,
        moderation_model=settings.OPENAI_MODERATION_MODEL,
        max_tokens=settings.REPLY_MAX_TOKENS,
        first_token_seconds=settings.REPLY_FIRST_TOKEN_SECONDS,
        stall_seconds=settings.REPLY_STALL_SECONDS,
    )


@cache
def embedders() -> list[Embedder]:
    """The models to keep vectors of; a language's own model comes before the one for all."""
    if settings.EMBEDDING_PROVIDER == "openai":
        return [OpenAIEmbedder(chat())]
    return [*LocalEmbedder.all(settings.LOCAL_MODELS_DIR)]


def embedder(model: EmbeddingModel) -> Embedder:
    """The embedder of a stored model. Raises ProviderRejected when the settings no longer offer it."""
    for candidate in embedders():
        if (candidate.provider, candidate.name, candidate.width) == (model.provider, model.name, model.width):
            return candidate
    raise ProviderRejected(f"The embedding model {model} is not configured any more.")


@cache
def moderator() -> Moderator:
    return chat() if settings.MODERATION_PROVIDER == "openai" else LocalModerator()
