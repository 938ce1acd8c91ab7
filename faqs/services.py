"""Writes of the knowledge base: publishing, and the vectors that follow the texts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from . import signals
from .models import FAQ, Embedding, EmbeddingModel, Head
from .selectors import ANSWER_CHARACTERS

Text = tuple[str, str]
HEADS_KEPT = 3


def announce(faq_id: int) -> None:
    """Tell, after commit, that what visitors may find of a FAQ changed."""
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


def count_view(*, faq_id: int) -> None:
    FAQ.objects.filter(pk=faq_id).update(view_count=F("view_count") + 1)


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


@transaction.atomic
def store_head(*, model: EmbeddingModel, fitted_on: str, weights: bytes, calibrations: dict[str, Any]) -> Head:
    """Keep a newly fitted head and its few predecessors."""
    head = Head.objects.create(model=model, fitted_on=fitted_on, weights=weights, calibrations=calibrations)
    kept = Head.objects.filter(model=model).order_by("-pk").values_list("pk", flat=True)[:HEADS_KEPT]
    Head.objects.filter(model=model).exclude(pk__in=list(kept)).delete()
    return head
