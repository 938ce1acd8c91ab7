"""The providers of this process, by settings: made once, used from the one loop."""

from django.conf import settings

from chatbot.once import once
from faqs import selectors
from faqs.models import EmbeddingModel

from .base import Embedder, Moderator
from .local import LocalEmbedder, LocalModerator
from .openai import OpenAIEmbedder, OpenAIProvider


@once
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


@once
def _local_embedders() -> list[Embedder]:
    return [*LocalEmbedder.all(settings.LOCAL_MODELS_DIR)]


@once
def embedders() -> list[Embedder]:
    """The models that the settings name; a language's own model comes before the one for all."""
    if settings.EMBEDDING_PROVIDER == "openai":
        return [OpenAIEmbedder(chat())]
    return [*_local_embedders()]


def available() -> list[Embedder]:
    """Those, and what else can be used: a model that is live stays in use until another one has taken its place."""
    if settings.EMBEDDING_PROVIDER == "openai":
        return [*embedders(), *_local_embedders()]
    return [*embedders(), *([OpenAIEmbedder(chat())] if settings.OPENAI_API_KEY else [])]


def embedder_of(model: EmbeddingModel) -> Embedder | None:
    """None when the settings no longer allow it, such as without a key."""
    key = (model.provider, model.name, model.width)
    return next((one for one in available() if (one.provider, one.name, one.width) == key), None)


def usable_models() -> list[tuple[EmbeddingModel, Embedder]]:
    """The live models that can be used, each with its embedder."""
    return _with_embedders(selectors.live_models())


def kept_models() -> list[tuple[EmbeddingModel, Embedder]]:
    """The models whose vectors follow the texts: live ones and those that are building."""
    return _with_embedders(selectors.kept_models())


def _with_embedders(models: list[EmbeddingModel]) -> list[tuple[EmbeddingModel, Embedder]]:
    pairs = [(model, embedder_of(model)) for model in models]
    return [(model, embedder) for model, embedder in pairs if embedder is not None]


@once
def moderator() -> Moderator:
    return chat() if settings.MODERATION_PROVIDER == "openai" else LocalModerator()
