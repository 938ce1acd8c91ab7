"""Reads of the knowledge base: what is published, what is stale, and the search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import Count, Max
from django.urls import reverse

from .models import FAQ, Embedding, EmbeddingModel, Head

CANDIDATES = 60
# A word that more FAQs have tells nothing.
RARE = 20
# Longer answers are embedded by their beginning: the models read about this much.
ANSWER_CHARACTERS = 1500
# An answer's text says less about what is asked than a question does.
ANSWER_WEIGHT = 0.95
_CONFIGS = {"en": "english", "es": "spanish", "de": "german", "fr": "french"}


@dataclass(frozen=True)
class Passage:
    """A published FAQ as a search found it; `score` is a cosine from 0 to 1, `matched` the kind of text that was nearest."""

    faq_id: int
    slug: str
    language: str
    question: str
    answer: str
    score: float
    matched: str

    @property
    def url(self) -> str:
        return reverse("faqs:article", args=[self.slug]) + ("" if self.language == "en" else f"?lang={self.language}")


def live_models() -> list[EmbeddingModel]:
    return list(EmbeddingModel.objects.filter(status=EmbeddingModel.Status.LIVE).order_by("pk"))


def vectors_version(model: EmbeddingModel) -> str:
    """Names the state of a model's vectors: rows are only ever added and removed, so their number and the last one tell."""
    rows = Embedding.objects.filter(model=model).aggregate(count=Count("pk"), last=Max("pk"))
    return f"{rows['count']}.{rows['last'] or 0}"


def fresh_head(model: EmbeddingModel) -> Head | None:
    """The newest head (its weights not read yet), if it was fitted on the present vectors."""
    head = Head.objects.filter(model=model).order_by("-pk").defer("weights").first()
    return head if head is not None and head.fitted_on == vectors_version(model) else None


@dataclass(frozen=True)
class StoredVector:
    """One published text's vector, as the bytes that PostgreSQL sends: a head of four bytes, then big-endian float32."""

    faq_id: int
    language: str
    kind: str
    sent: bytes


def stored_vectors(model: EmbeddingModel) -> list[StoredVector]:
    """All vectors of the published FAQs, by FAQ."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.faq_id, f.language, e.kind, vector_send(e.embedding) FROM faqs_embedding e "
            "JOIN faqs_faq f ON f.id = e.faq_id WHERE e.model_id = %s AND f.status = 'published' ORDER BY e.faq_id, e.id",
            [model.pk],
        )
        return [StoredVector(*row) for row in cursor]


def retired_by_latest_switch() -> list[EmbeddingModel]:
    """What a rollback brings back: the models that were retired when the latest ones went live; none, when nothing was."""
    latest = EmbeddingModel.objects.filter(status=EmbeddingModel.Status.LIVE).aggregate(at=Max("live_since"))["at"]
    rows = EmbeddingModel.objects.filter(status=EmbeddingModel.Status.RETIRED, retired_at=latest)
    return list(rows.order_by("pk")) if latest else []


def kept_models() -> list[EmbeddingModel]:
    """Those whose vectors follow the texts: what is live, and what is building to become so."""
    return list(EmbeddingModel.objects.exclude(status=EmbeddingModel.Status.RETIRED).order_by("pk"))


# The texts to embed are those of `services.texts_of`, hashed like `Embedding.hash_of`.
_STALE = """
WITH wanted AS (
    SELECT f.id AS faq_id, t.kind, encode(sha256(convert_to(t.text, 'UTF8')), 'hex') AS text_hash
    FROM faqs_faq f CROSS JOIN LATERAL (
        VALUES ('question', f.question), ('answer', left(f.answer, %(characters)s))
        UNION ALL SELECT 'phrasing', p.text FROM faqs_phrasing p WHERE p.faq_id = f.id
    ) t(kind, text)
    WHERE f.status = 'published' AND (%(everything)s OR f.language = ANY(%(languages)s))
), held AS (
    SELECT faq_id, kind, text_hash FROM faqs_embedding WHERE model_id = %(model)s
), differing AS (
    (SELECT * FROM wanted EXCEPT SELECT * FROM held) UNION ALL (SELECT * FROM held EXCEPT SELECT * FROM wanted)
)
SELECT DISTINCT faq_id FROM differing WHERE faq_id > %(after)s ORDER BY faq_id LIMIT %(limit)s
"""


def stale_faqs(model: EmbeddingModel, limit: int, after: int = 0) -> list[FAQ]:
    """FAQs whose vectors of this model are not those of their texts, by primary key from `after` on."""
    parameters = {
        "model": model.pk,
        "everything": not model.languages,
        "languages": model.languages,
        "characters": ANSWER_CHARACTERS,
        "after": after,
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_STALE, parameters)
        ids = [row[0] for row in cursor.fetchall()]
    return list(FAQ.objects.filter(pk__in=ids).prefetch_related("phrasings").order_by("pk"))


# Without it a selective filter starves the index scan of rows. Statements that are sent together share one transaction.
_ITERATIVE_SCAN = "SET LOCAL hnsw.iterative_scan = relaxed_order;"
_SEARCH = """
WITH near AS MATERIALIZED (
    SELECT e.faq_id, e.kind, e.embedding::vector({width}) <=> %(vector)s::vector({width}) AS distance
    FROM faqs_embedding e JOIN faqs_faq f ON f.id = e.faq_id
    WHERE e.model_id = {model} AND f.status = 'published' AND f.language = ANY(%(languages)s)
    ORDER BY e.embedding::vector({width}) <=> %(vector)s::vector({width}) LIMIT {candidates}
), words AS (
    SELECT DISTINCT m.id FROM unnest(%(words)s::text[]) word
    CROSS JOIN LATERAL (
        SELECT array_agg(f.id) AS ids FROM (
            SELECT f.id FROM faqs_faq f
            WHERE f.search_vector @@ plainto_tsquery(%(config)s, word) AND f.status = 'published' AND f.language = ANY(%(languages)s)
            LIMIT {rare} + 1
        ) f
    ) having_it CROSS JOIN LATERAL unnest(having_it.ids) m(id)
    WHERE cardinality(having_it.ids) <= {rare}
), scored AS (
    SELECT faq_id, kind, distance FROM near
    UNION ALL
    SELECT e.faq_id, e.kind, e.embedding::vector({width}) <=> %(vector)s::vector({width})
    FROM faqs_embedding e JOIN words w ON w.id = e.faq_id WHERE e.model_id = {model}
), best AS (
    SELECT DISTINCT ON (faq_id) faq_id, kind, (1 - distance) * CASE kind WHEN 'answer' THEN {answer} ELSE 1 END AS score
    FROM scored ORDER BY faq_id, score DESC
)
SELECT f.id, f.slug, f.language, f.question, f.answer, b.score, b.kind
FROM best b JOIN faqs_faq f ON f.id = b.faq_id
ORDER BY b.score DESC, f.priority DESC, f.id LIMIT %(limit)s
"""


def search(
    *,
    model: EmbeddingModel,
    vector: Sequence[float],
    query_text: str,
    language: str,
    limit: int = 5,
    fallback_languages: Sequence[str] = (),
) -> list[Passage]:
    """The published FAQs nearest to a question, best first: by vectors, with those that share a rare word as further candidates.

    `vector` has the model's width. Full text only adds candidates; every score is the exact cosine.
    """
    sql = _SEARCH.format(
        width=int(model.width), model=int(model.pk), candidates=CANDIDATES, answer=ANSWER_WEIGHT, rare=RARE
    )
    parameters: dict[str, Any] = {
        "vector": "[" + ",".join(map(repr, map(float, vector))) + "]",
        "languages": [language, *fallback_languages],
        "config": _CONFIGS.get(language, "simple"),
        "words": _words(query_text),
        "limit": limit,
    }
    with connection.cursor() as cursor:
        cursor.execute(_ITERATIVE_SCAN + sql, parameters)
        cursor.nextset()
        return [Passage(*row) for row in cursor.fetchall()]


def _words(text: str) -> list[str]:
    """The text's different words; the configuration drops what is too common in its language."""
    return list(dict.fromkeys(word for word in text.lower().split() if any(map(str.isalnum, word))))[:50]


def published_by_category(language: str) -> list[FAQ]:
    rows = FAQ.objects.published().filter(language=language)  # type: ignore[attr-defined]
    return list(
        rows.select_related("category").order_by("category__position", "category__name", "-priority", "question")
    )


def related(faq: FAQ, *, limit: int = 6) -> list[FAQ]:
    """What else its category answers in its language, the most important first."""
    rows = FAQ.objects.published().filter(category=faq.category, language=faq.language)  # type: ignore[attr-defined]
    return list(rows.exclude(pk=faq.pk).order_by("-priority", "question")[:limit])


def article(slug: str, language: str) -> FAQ:
    """The published FAQ in the language, else in English, else in any. Raises FAQ.DoesNotExist."""
    versions = list(FAQ.objects.published().filter(slug=slug).select_related("category"))  # type: ignore[attr-defined]
    if not versions:
        raise FAQ.DoesNotExist
    return min(versions, key=lambda faq: (faq.language != language, faq.language != "en", faq.pk))
