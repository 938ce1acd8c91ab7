"""Writes of the knowledge base: publishing, and the vectors that follow the texts."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import structlog
from django.db import OperationalError, connection, transaction
from django.db.models import ProtectedError, Value
from django.utils import timezone

from . import signals
from .models import FAQ, Category, CommonWord, Embedding, EmbeddingModel, Head
from .selectors import ANSWER_CHARACTERS, RARE, literal

log = structlog.get_logger(__name__)
Text = tuple[str, str]
HEADS_KEPT = 3


class CategoryInUse(Exception):
    """The category still has FAQs."""


class StillPublished(Exception):
    """Visitors read it: it has to be archived first."""


_gathered: ContextVar[set[int] | None] = ContextVar("gathered", default=None)


@contextmanager
def announced_together() -> Iterator[None]:
    """What is announced inside is told as one change of many FAQs, after commit."""
    faq_ids = set[int]()
    token = _gathered.set(faq_ids)
    try:
        yield
    finally:
        _gathered.reset(token)
    if faq_ids:
        transaction.on_commit(
            lambda: signals.faqs_changed.send_robust(sender=FAQ, faq_ids=sorted(faq_ids)), robust=True
        )


def announce(faq_id: int) -> None:
    """Tell, after commit, that what visitors may find of a FAQ changed."""
    if (gathered := _gathered.get()) is not None:
        gathered.add(faq_id)
        return
    transaction.on_commit(lambda: signals.faq_changed.send_robust(sender=FAQ, faq_id=faq_id), robust=True)


def delete_faq(*, faq: FAQ) -> None:
    """Raises StillPublished."""
    if faq.is_live:
        raise StillPublished
    announce(faq.pk)
    faq.delete()


def delete_category(*, category: Category) -> None:
    """Raises CategoryInUse."""
    try:
        category.delete()
    except ProtectedError:
        raise CategoryInUse from None


_COUNT_VIEW = """
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', '1s', true))
UPDATE faqs_faq SET view_count = view_count + 1 FROM patience WHERE id = %s
"""


def count_view(*, faq_id: int) -> None:
    """Count a reader; one who comes while a long import holds the FAQ is not made to wait for it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_VIEW, [faq_id])
    except OperationalError:
        log.warning("view_not_counted", faq_id=faq_id)


def register_model(
    *, provider: str, name: str, width: int, languages: Sequence[str], live: bool = True
) -> EmbeddingModel:
    """The stored model, with an HNSW index of its own when it is new; `live` makes it live whatever it was.

    Idempotent and safe to run at the same time.
    """
    model, created = EmbeddingModel.objects.get_or_create(
        provider=provider, name=name, width=width, defaults={"languages": list(languages)}
    )
    if created:
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE INDEX IF NOT EXISTS faqs_embedding_hnsw_{model.pk} ON faqs_embedding "
                f"USING hnsw ((embedding::vector({model.width:d})) vector_cosine_ops) WHERE model_id = {model.pk:d}"
            )
    if live and model.status != EmbeddingModel.Status.LIVE:
        _make_live([model])
    return model


def start_building(*, model: EmbeddingModel) -> None:
    """Let a retired model's vectors follow the texts again."""
    EmbeddingModel.objects.filter(pk=model.pk, status=EmbeddingModel.Status.RETIRED).update(
        status=EmbeddingModel.Status.BUILDING
    )
    model.refresh_from_db()


@transaction.atomic
def switch_models(*, models: Sequence[EmbeddingModel]) -> list[EmbeddingModel]:
    """Make these live at once in place of those that they replace; returns the retired ones."""
    others = EmbeddingModel.objects.select_for_update().filter(status=EmbeddingModel.Status.LIVE)
    others = others.exclude(pk__in=[model.pk for model in models])
    retired = [other for other in others if any(model.replaces(other) for model in models)]
    now = _make_live(models)
    _retire(retired, now)
    return retired


@transaction.atomic
def roll_back(*, to: Sequence[EmbeddingModel]) -> None:
    """Undo the latest switch: `to` are the models that it retired (`selectors.retired_by_latest_switch`)."""
    newer = EmbeddingModel.objects.select_for_update().filter(
        status=EmbeddingModel.Status.LIVE, live_since=to[0].retired_at
    )
    replaced = list(newer)
    _retire(replaced, _make_live(to))


def _make_live(models: Sequence[EmbeddingModel]) -> datetime:
    now = timezone.now()
    for model in models:
        model.status, model.live_since, model.retired_at = EmbeddingModel.Status.LIVE, now, None
        model.save(update_fields=["status", "live_since", "retired_at"])
    return now


def _retire(models: Sequence[EmbeddingModel], now: datetime) -> None:
    for model in models:
        model.status, model.retired_at = EmbeddingModel.Status.RETIRED, now
        model.save(update_fields=["status", "retired_at"])


def texts_of(faq: FAQ) -> list[Text]:
    """(kind, text) of everything to embed; nothing while a FAQ is not published."""
    if faq.status != FAQ.Status.PUBLISHED:
        return []
    texts = [
        (Embedding.Kind.QUESTION.value, faq.question),
        (Embedding.Kind.ANSWER.value, faq.answer[:ANSWER_CHARACTERS]),
    ]
    return texts + [(Embedding.Kind.PHRASING.value, phrasing.text) for phrasing in faq.phrasings.all()]


def missing_texts(model: EmbeddingModel, faqs: Iterable[FAQ]) -> list[str]:
    """The FAQs' texts without a vector of this model, each once; a text embedded for any FAQ is not made again."""
    texts = {Embedding.hash_of(text): text for faq in faqs for _kind, text in _texts_for(model, faq)}
    known = set(Embedding.objects.filter(model=model, text_hash__in=texts).values_list("text_hash", flat=True))
    return [text for digest, text in texts.items() if digest not in known]


def _texts_for(model: EmbeddingModel, faq: FAQ) -> list[Text]:
    return texts_of(faq) if model.covers(faq.language) else []


@transaction.atomic
def store_embeddings(*, model: EmbeddingModel, faqs: Sequence[FAQ], vectors: dict[str, list[float]]) -> None:
    """Make the stored vectors of FAQs exactly those of their texts; a text not in `vectors` reuses one that is stored."""
    wanted = {
        (faq.pk, kind, Embedding.hash_of(text)): vectors.get(text)
        for faq in faqs
        for kind, text in _texts_for(model, faq)
    }
    own = Embedding.objects.filter(model=model, faq__in=faqs)
    held = {(row.faq_id, row.kind, row.text_hash): row.pk for row in own.only("faq", "kind", "text_hash")}
    own.filter(pk__in=[pk for key, pk in held.items() if key not in wanted]).delete()
    lacking = {key: vector for key, vector in wanted.items() if key not in held}
    reused = {digest for (_faq, _kind, digest), vector in lacking.items() if vector is None}
    stored = Embedding.objects.filter(model=model, text_hash__in=reused).values_list("text_hash", "embedding")
    by_hash = dict(stored) | {digest: vector for (*_, digest), vector in lacking.items() if vector is not None}
    rows = [
        Embedding(model=model, faq_id=faq_id, kind=kind, text_hash=digest, embedding=Value(literal(by_hash[digest])))
        for faq_id, kind, digest in lacking
        if digest in by_hash
    ]
    Embedding.objects.bulk_create(rows, ignore_conflicts=True)


_COUNT_WORDS = """
INSERT INTO faqs_commonword (language, lexeme)
SELECT l.language, w.word FROM (SELECT DISTINCT language FROM faqs_faq WHERE status = 'published') l
CROSS JOIN LATERAL ts_stat(
    format('SELECT search_vector FROM faqs_faq WHERE status = ''published'' AND language = %%L', l.language)
) w WHERE w.ndoc > %s
"""


@transaction.atomic
def count_words() -> int:
    """Note anew which words too many FAQs share; returns how many. A search works without, only slower."""
    CommonWord.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_WORDS, [RARE])
    return CommonWord.objects.count()


@transaction.atomic
def store_head(*, model: EmbeddingModel, fitted_on: str, weights: bytes, calibrations: dict[str, Any]) -> Head:
    """Keep a newly fitted head and its few predecessors."""
    head = Head.objects.create(model=model, fitted_on=fitted_on, weights=weights, calibrations=calibrations)
    kept = Head.objects.filter(model=model).order_by("-pk").values_list("pk", flat=True)[:HEADS_KEPT]
    Head.objects.filter(model=model).exclude(pk__in=list(kept)).delete()
    return head
