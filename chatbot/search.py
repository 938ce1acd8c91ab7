"""Search of the published FAQs for pages and programs: by meaning and by words, quick for what was asked before, right without Redis.

What is kept is which FAQs were found, under a version that every publication and edit replaces; their texts are read anew each time, so
nothing unpublished is ever shown. A version that could not be replaced, because Redis was away, is outlived after `RESULT_SECONDS`.
"""

import hashlib
from array import array
from collections.abc import Sequence
from uuid import uuid4

import structlog

from faqs import cached, selectors
from faqs.help import selectors as pages
from faqs.models import FAQ, EmbeddingModel
from faqs.selectors import Passage

from . import runtime
from .providers import registry
from .providers.base import Embedder, ProviderError

log = structlog.get_logger(__name__)
VERSION = "faqs:version"
RESULT_SECONDS = 60
VECTOR_SECONDS = 86_400
# Below it a FAQ has nothing to do with the question.
FLOORS = {"bge-small-en-v1.5": 0.62, "use-multilingual-v3": 0.3}
OTHER_FLOOR = 0.3
Found = list[tuple[int, float, str]]


def search_faqs(*, query: str, language: str, limit: int = 10) -> list[Passage]:
    """The published FAQs in the language (or English) that answer a query, best first, with scores."""
    query = " ".join(query.split())
    if not query:
        return []
    version = _version()
    key = f"faqs:search:{version}:{language}:{limit}:{_digest(query)}"
    found: Found | None = cached.get(key) if version else None
    if found is not None:
        return _read_anew(found)
    passages = _search(query, language, limit)
    if version:
        cached.put(key, [(one.faq_id, one.score, one.matched) for one in passages], RESULT_SECONDS)
    return passages


def forget_results() -> None:
    """What may be found has changed."""
    cached.put(VERSION, uuid4().hex, None)


def _version() -> str | None:
    """Read before the search, so that a result is never kept under a version that is younger than it; None without Redis."""
    version: str | None = cached.get(VERSION)
    if version is None:
        forget_results()
        version = cached.get(VERSION)
    return version


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def _read_anew(found: Found) -> list[Passage]:
    faqs = FAQ.objects.published().in_bulk([faq_id for faq_id, _score, _matched in found])  # type: ignore[attr-defined]
    return [pages.passage(faqs[faq_id], score, matched) for faq_id, score, matched in found if faq_id in faqs]


def _search(query: str, language: str, limit: int) -> list[Passage]:
    """By meaning and words; by words alone while there is no model or it cannot be asked."""
    fallback = [] if language == "en" else ["en"]
    covering = [pair for pair in registry.usable_models() if pair[0].covers(language)]
    if not covering:
        return pages.by_words(query, [language, *fallback], limit)
    model, embedder = min(covering, key=lambda pair: not pair[0].languages)
    try:
        vector = _vector(model, embedder, query)
    except ProviderError as error:
        log.warning("search_by_words", error=error.code)
        return pages.by_words(query, [language, *fallback], limit)
    passages = selectors.searching(
        model=model, vector=vector, query_text=query, language=language, limit=limit, fallback_languages=fallback
    ).ask()
    floor = FLOORS.get(model.name, OTHER_FLOOR)
    return [passage for passage in passages if passage.score >= floor]


def _vector(model: EmbeddingModel, embedder: Embedder, query: str) -> Sequence[float]:
    """Raises ProviderError."""
    key = f"faqs:vector:{model.pk}:{_digest(query)}"
    kept: bytes | None = cached.get(key)
    if kept is not None:
        return array("f", kept)
    (vector,) = runtime.run(embedder.embed([query]))
    cached.put(key, array("f", vector).tobytes(), VECTOR_SECONDS)
    return vector
