"""Puts right what assigning question by question got wrong: gaps that turn out to be one, questions that another gap fits better."""

from collections.abc import Sequence

import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from ..models import EmbeddingModel
from .models import Gap, GapQuestion
from .services import lock, refresh

# A question moves only to a gap that is clearly nearer, so that it does not go back and forth.
CLEARLY = 0.02
AT_A_TIME = 1000
Vectors = NDArray[np.float32]


def recluster(*, model: EmbeddingModel, similarity: float) -> None:
    """Gather the model's open gaps anew, language by language. A gap keeps its id as long as it has questions; closed ones stay closed."""
    languages = Gap.objects.filter(model=model, status=Gap.Status.OPEN).values_list("language", flat=True)
    for language in sorted(set(languages)):
        with transaction.atomic():
            lock(model, language)
            _move_questions(model, language, similarity)
            _join_gaps(model, language, similarity)
            Gap.objects.filter(model=model, language=language, status=Gap.Status.OPEN, questions=None).delete()


def _gaps(model: EmbeddingModel, language: str) -> list[Gap]:
    return list(Gap.objects.filter(model=model, language=language).order_by("pk"))


def _units(vectors: Sequence[object]) -> Vectors:
    rows = np.asarray(vectors, dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _move_questions(model: EmbeddingModel, language: str, similarity: float) -> None:
    gaps = _gaps(model, language)
    if not gaps:
        return
    place = {gap.pk: number for number, gap in enumerate(gaps)}
    centroids = _units([gap.centroid for gap in gaps])
    questions = GapQuestion.objects.filter(gap__in=gaps, gap__status=Gap.Status.OPEN).order_by("pk")
    touched = set[int]()
    # There may be very many: they are read some at a time.
    for pk, gap_id, embedding in questions.values_list("pk", "gap_id", "embedding").iterator(chunk_size=AT_A_TIME):
        scores = centroids @ _units([embedding])[0]
        best = int(scores.argmax())
        if scores[best] >= similarity and scores[best] > scores[place[gap_id]] + CLEARLY:
            touched |= {gap_id, gaps[best].pk}
            GapQuestion.objects.filter(pk=pk).update(gap=gaps[best])
    refresh(sorted(touched))


def _join_gaps(model: EmbeddingModel, language: str, similarity: float) -> None:
    """A younger open gap goes into the nearest closed or elder one that means the same."""
    gaps = _gaps(model, language)
    scores = _units([gap.centroid for gap in gaps]) @ _units([gap.centroid for gap in gaps]).T
    into = dict[int, int]()
    for number in reversed(range(len(gaps))):
        if gaps[number].status != Gap.Status.OPEN:
            continue
        older = [n for n in range(len(gaps)) if n < number or (n != number and gaps[n].status != Gap.Status.OPEN)]
        best = max(older, key=lambda n: scores[number, n], default=None)
        if best is not None and scores[number, best] >= similarity:
            into[gaps[number].pk] = gaps[best].pk
    for younger, elder in into.items():
        GapQuestion.objects.filter(gap=younger).update(gap=_end_of(into, elder))
    refresh(sorted({_end_of(into, elder) for elder in into.values()}))


def _end_of(into: dict[int, int], gap_id: int) -> int:
    while gap_id in into:
        gap_id = into[gap_id]
    return gap_id
