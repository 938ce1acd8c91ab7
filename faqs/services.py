"""Writes of the knowledge base: publishing, and the vectors that follow the texts."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import structlog
from django.db import OperationalError, connection, transaction

from . import signals
from .models import FAQ, Embedding, EmbeddingModel
from .selectors import ANSWER_CHARACTERS

log = structlog.get_logger(__name__)
Text = tuple[str, str]


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


@transaction.atomic
def set_status(*, faqs: Iterable[FAQ], status: str) -> int:
    """Move FAQs to a status; returns how many were not there already."""
    changed = [faq for faq in faqs if faq.status != status]
    for faq in changed:
        faq.status = status
        faq.save()
        announce(faq.pk)
    return len(changed)


# Statements that are sent together share one transaction.
_COUNT_VIEW = "SET LOCAL lock_timeout = '1s'; UPDATE faqs_faq SET view_count = view_count + 1 WHERE id = %s"


def count_view(*, faq_id: int) -> None:
    """Count a reader; one who comes while a long import holds the FAQ is not made to wait for it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_VIEW, [faq_id])
    except OperationalError:
        log.warning("view_not_counted", faq_id=faq_id)


def register_model(*, provider: str, name: str, width: int, languages: Sequence[str]) -> EmbeddingModel:
    """The stored model, made live with an HNSW index of its own when it is new. Idempotent and safe to run at the same time."""
    model, created = EmbeddingModel.objects.get_or_create(
        provider=provider,
        name=name,
        width=width,
        defaults={"languages": list(languages), "status": EmbeddingModel.Status.LIVE},
    )
    if created:
        with connection.cursor() as cursor:
            cursor.execute(
                f"CREATE INDEX IF NOT EXISTS faqs_embedding_hnsw_{model.pk} ON faqs_embedding "
                f"USING hnsw ((embedding::vector({model.width:d})) vector_cosine_ops) WHERE model_id = {model.pk:d}"
            )
    return model


def texts_of(faq: FAQ) -> list[Text]:
    """(kind, text) of everything to embed; nothing while a FAQ is not published."""
    if faq.status != FAQ.Status.PUBLISHED:
        return []
    texts = [
        (Embedding.Kind.QUESTION.value, faq.question),
        (Embedding.Kind.ANSWER.value, faq.answer[:ANSWER_CHARACTERS]),
    ]
    return texts + [(Embedding.Kind.PHRASING.value, phrasing.text) for phrasing in faq.phrasings.all()]


def missing_texts(model: EmbeddingModel, faq: FAQ) -> list[Text]:
    """The FAQ's texts without a vector of this model; a text embedded for any FAQ is not made again."""
    texts = texts_of(faq)
    hashes = {Embedding.hash_of(text) for _kind, text in texts}
    known = set(Embedding.objects.filter(model=model, text_hash__in=hashes).values_list("text_hash", flat=True))
    return [text for text in texts if Embedding.hash_of(text[1]) not in known]


@transaction.atomic
def store_embeddings(
    *, model: EmbeddingModel, faq: FAQ, texts: Sequence[Text], vectors: dict[Text, list[float]]
) -> None:
    """Make the stored vectors of a FAQ exactly those of `texts`; vectors not given are reused by text hash."""
    wanted = {(kind, Embedding.hash_of(text)): vectors.get((kind, text)) for kind, text in texts}
    own = Embedding.objects.filter(model=model, faq=faq)
    held = {(row.kind, row.text_hash): row.pk for row in own.only("kind", "text_hash")}
    own.filter(pk__in=[pk for key, pk in held.items() if key not in wanted]).delete()
    lacking = {key: vector for key, vector in wanted.items() if key not in held}
    by_hash = {key[1]: vector for key, vector in wanted.items() if vector is not None}
    reused = {digest for (_kind, digest), vector in lacking.items() if vector is None} - set(by_hash)
    for row in Embedding.objects.filter(model=model, text_hash__in=reused):
        by_hash[row.text_hash] = row.embedding
    rows = [
        Embedding(model=model, faq=faq, kind=kind, text_hash=digest, embedding=by_hash[digest])
        for kind, digest in lacking
        if digest in by_hash
    ]
    Embedding.objects.bulk_create(rows, ignore_conflicts=True)
