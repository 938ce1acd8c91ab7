"""Reads of the knowledge base: what is published, what is stale, and the search."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection
from django.db.models import Count, F, Max, Q
from django.urls import reverse

from rest.prepared import Query

from .models import FAQ, Embedding, EmbeddingModel, GoldenQuestion, Head

CANDIDATES = 60
# A word that more FAQs have tells nothing.
RARE = 8
# Of a longer question, only so many different words are looked for.
WORDS = 50
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


def text_config(language: str) -> str:
    """PostgreSQL's text search configuration of a language."""
    return _CONFIGS.get(language, "simple")


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


# Neither the planner's guesses nor its choice of plan depend on the values: the prepared statement is planned once.
_SEARCH = r"""
WITH near AS MATERIALIZED (
    SELECT e.faq_id, e.kind, f.priority, e.embedding::vector({width}) <=> %(vector)s::vector({width}) AS distance
    FROM faqs_embedding e JOIN faqs_faq f ON f.id = e.faq_id
    WHERE e.model_id = {model} AND f.status = 'published' AND f.language = ANY(%(languages)s)
    ORDER BY e.embedding::vector({width}) <=> %(vector)s::vector({width}) LIMIT {candidates}
), words AS (
    SELECT DISTINCT rare.id, rare.priority FROM (
        SELECT lexeme FROM unnest(to_tsvector(%(config)s::regconfig, %(text)s)) word
        WHERE (SELECT id FROM faqs_commonword c WHERE c.language = ANY(%(languages)s) AND c.lexeme = word.lexeme LIMIT 1) IS NULL
        LIMIT {words}
    ) asked CROSS JOIN LATERAL (
        SELECT array_agg(f.id) AS ids, array_agg(f.priority) AS priorities FROM (
            SELECT f.id, f.priority FROM faqs_faq f
            WHERE f.search_vector @@ ($$'$$ || replace(replace(lexeme, $$\$$, $$\\$$), $$'$$, $$''$$) || $$'$$)::tsquery
                AND f.status = 'published' AND f.language = ANY(%(languages)s)
            LIMIT {rare} + 1
        ) f
    ) having_it CROSS JOIN LATERAL unnest(having_it.ids, having_it.priorities) rare(id, priority)
    WHERE cardinality(having_it.ids) <= {rare}
), scored AS (
    SELECT faq_id, kind, priority, distance FROM near
    UNION ALL
    SELECT e.faq_id, e.kind, w.priority, e.embedding::vector({width}) <=> %(vector)s::vector({width})
    FROM words w JOIN faqs_embedding e ON e.faq_id = w.id AND e.model_id = {model}
), best AS (
    SELECT * FROM (
        SELECT DISTINCT ON (faq_id) faq_id, kind, priority, (1 - distance) * CASE kind WHEN 'answer' THEN {answer} ELSE 1 END AS score
        FROM scored ORDER BY faq_id, score DESC
    ) each ORDER BY score DESC, priority DESC, faq_id LIMIT %(limit)s
)
SELECT f.id, f.slug, f.language, f.question, f.answer, b.score, b.kind
FROM best b CROSS JOIN LATERAL (SELECT * FROM faqs_faq WHERE id = b.faq_id OFFSET 0) f
ORDER BY b.score DESC, b.priority DESC, f.id
"""


def searching(
    *,
    model: EmbeddingModel,
    vector: Sequence[float],
    query_text: str,
    language: str,
    limit: int = 5,
    fallback_languages: Sequence[str] = (),
) -> Query[list[Passage]]:
    """The published FAQs nearest to a question, best first: by vectors, with those that share a rare word as further candidates.

    `vector` has the model's width. Full text only adds candidates; every score is the exact cosine.
    """
    parameters: dict[str, Any] = {
        "vector": literal(vector),
        "languages": [language, *fallback_languages],
        "config": text_config(language),
        "text": query_text,
        "limit": limit,
    }
    return Query([(search_statement(model), parameters)], lambda found: [Passage(*row) for row in found])


def search_statement(model: EmbeddingModel) -> str:
    """The search of a model's vectors with `vector`, `languages`, `config`, `text` and `limit` to be bound."""
    return _SEARCH.format(
        width=int(model.width),
        model=int(model.pk),
        candidates=CANDIDATES,
        answer=ANSWER_WEIGHT,
        rare=RARE,
        words=WORDS,
    )


def literal(vector: Sequence[float]) -> str:
    """The vector as pgvector reads it."""
    return orjson.dumps(list(vector)).decode()


def golden_questions() -> list[GoldenQuestion]:
    """In a fixed order, each with the FAQ that must answer it."""
    return list(GoldenQuestion.objects.select_related("expected").order_by("pk"))


@dataclass(frozen=True)
class LanguageVersion:
    """A FAQ in one of the languages; `faq` is None where it is lacking."""

    code: str
    name: str
    faq: FAQ | None
    is_original: bool = False
    is_behind: bool = False


def language_versions(faq: FAQ) -> list[LanguageVersion]:
    """The versions of a FAQ, which share its slug, in all languages; the original is the one in the site's main language."""
    found = {one.language: one for one in FAQ.objects.filter(slug=faq.slug).order_by("pk")}
    original = found.get(settings.LANGUAGE_CODE) or next(iter(found.values()))
    return [
        LanguageVersion(code, str(name), one, one == original, one is not None and one.is_behind(original))
        for code, name in settings.LANGUAGES
        for one in [found.get(code)]
    ]


def links_due(before: datetime, limit: int) -> list[int]:
    """The published FAQs whose links were not tried since; those never tried come first."""
    due = FAQ.objects.published().filter(Q(links_checked_at__lt=before) | Q(links_checked_at=None))  # type: ignore[attr-defined]
    return list(due.order_by(F("links_checked_at").asc(nulls_first=True), "pk").values_list("pk", flat=True)[:limit])
