"""The providers of this process, by settings: made once, used from the one loop."""

from functools import cache

from django.conf import settings

from faqs.models import EmbeddingModel
from faqs.selectors import live_models

from .base import Embedder, Moderator
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


def usable_models() -> list[tuple[EmbeddingModel, Embedder]]:
    """The live models of the database that the settings still offer, each with its embedder."""
    offered = {(embedder.provider, embedder.name, embedder.width): embedder for embedder in embedders()}
    keyed = [((model.provider, model.name, model.width), model) for model in live_models()]
    return [(model, offered[key]) for key, model in keyed if key in offered]


@cache
def moderator() -> Moderator:
    return chat() if settings.MODERATION_PROVIDER == "openai" else LocalModerator()
