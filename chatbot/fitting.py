"""Fits a model's head and calibrations on what is published: its phrasings, each held out in turn, and the golden questions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import structlog
from numpy.typing import NDArray

from faqs import selectors, services
from faqs.models import Embedding, EmbeddingModel
from faqs.selectors import ANSWER_WEIGHT, StoredVector

from . import confidence, golden, ranking, runtime
from .confidence import Calibration, Sample
from .golden import GoldenQuestion
from .providers import registry
from .providers.base import Embedder
from .question_vectors import question_vectors
from .ranking import Floats, Head, Ints
from .retrieval import RANKED

log = structlog.get_logger(__name__)

# Questions of a language under this number do not move its calibration.
QUESTIONS_AT_LEAST = 30
HELD_OUT_MOST = 600
# In so many parts: the head is taught again without each.
PARTS = 3
# A held-out phrasing is an editor's wording, not a visitor's question: it counts less, and all of them together no more than this.
HELD_OUT_WEIGHT = 0.25
HELD_OUT_TOTAL = 100.0
# Of held-out questions, how many have no answer: the weight of each asked again with its own FAQ away.
FOREIGN_SHARE = 0.2
BATCH = 256


@dataclass(frozen=True)
class Knowledge:
    """The published vectors of one model in memory; vector i belongs to FAQ `ids[owners[i]]`."""

    ids: Ints
    languages: NDArray[np.str_]
    owners: Ints
    vectors: Floats
    is_answer: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: Sequence[StoredVector]) -> "Knowledge":
        faq_ids = np.array([row.faq_id for row in rows], dtype=np.int64)
        ids, first, owners = np.unique(faq_ids, return_index=True, return_inverse=True)
        sent = b"".join(row.sent[4:] for row in rows)
        vectors = np.frombuffer(sent, dtype=">f4").astype(np.float32).reshape(len(rows), -1)
        languages = np.array([rows[place].language for place in first])
        is_answer = np.array([row.kind == Embedding.Kind.ANSWER for row in rows])
        return cls(ids, languages, owners.astype(np.int64), vectors, is_answer)

    @cached_property
    def starts(self) -> Ints:
        return np.searchsorted(self.owners, np.arange(len(self.ids)))

    def nearest(self, questions: Floats, without: Ints | None = None) -> Floats:
        """The best cosine of each question with each FAQ; `without` names a vector per question that does not count."""
        cosines = questions @ self.vectors.T
        cosines[:, self.is_answer] *= ANSWER_WEIGHT
        if without is not None:
            cosines[np.arange(len(questions)), without] = -1
        return np.asarray(np.maximum.reduceat(cosines, self.starts, axis=1), dtype=np.float32)

    def place_of(self, faq_id: int | None) -> int:
        """The place of a FAQ in `ids`; -1 for none."""
        place = int(np.searchsorted(self.ids, faq_id)) if faq_id is not None else len(self.ids)
        return place if place < len(self.ids) and self.ids[place] == faq_id else -1


def fit_stale() -> list[EmbeddingModel]:
    """Fit anew for every kept model whose vectors changed since; returns those models. Raises ProviderError."""
    return [model for model, embedder in registry.kept_models() if fit_if_stale(model, embedder)]


def fit_if_stale(model: EmbeddingModel, embedder: Embedder) -> bool:
    """Raises ProviderError when the golden questions cannot be embedded."""
    if selectors.fresh_head(model) is not None:
        return False
    fit_model(model, embedder, golden.questions())
    return True


def fit_model(model: EmbeddingModel, embedder: Embedder, asked: Sequence[GoldenQuestion]) -> None:
    """Fit on the present vectors and store what came out. Raises ProviderError."""
    # What changes from here on makes the head stale.
    version = selectors.vectors_version(model)
    rows = selectors.stored_vectors(model)
    head, calibrations = None, dict[str, Calibration]()
    if rows:
        knowledge = Knowledge.of(rows)
        head = ranking.fit(knowledge.ids, knowledge.owners, knowledge.vectors, knowledge.is_answer)
        calibrations = _calibrations(model, embedder, Trial(knowledge, head), asked)
    stored = {language: calibration.stored() for language, calibration in calibrations.items()}
    weights = head.to_bytes() if head else b""
    services.store_head(model=model, fitted_on=version, weights=weights, calibrations=stored)
    log.info("head_fitted", model=model.name, vectors=len(rows), languages=sorted(stored))


@dataclass(frozen=True)
class Trial:
    """Asks a knowledge base in memory what a visitor's question would find in it."""

    knowledge: Knowledge
    head: Head | None

    def golden(self, questions: Floats, language: str, places: Sequence[int]) -> Sample:
        """`places`: each question's right FAQ in `ids`, or -1."""
        wanted = np.asarray(places)
        samples = []
        for start in range(0, len(questions), BATCH):
            part, right = questions[start : start + BATCH], wanted[start : start + BATCH]
            scores = self.head.turned(part) @ self.head.centres.T if self.head else None
            samples.append(self._judged(self.knowledge.nearest(part), scores, language, right))
        return Sample.together(samples)

    def held_out(self, language: str) -> Sample | None:
        """Phrasings asked as if they were not there, then as if their FAQ were not there; None where FAQs have one text only."""
        samples = []
        for texts, head in self._parts:
            part = texts[self.knowledge.languages[self.knowledge.owners[texts]] == language]
            if len(part):
                samples += self._asked_without(part, head, language)
        return _weighed(Sample.together(samples)) if samples else None

    def _asked_without(self, part: Ints, head: Head | None, language: str) -> list[Sample]:
        vectors, places = self.knowledge.vectors[part], self.knowledge.owners[part]
        near, scores = self.knowledge.nearest(vectors, part), head.turned(vectors) @ head.centres.T if head else None
        present = self._judged(near, scores, language, places)
        for away in (near, scores):
            if away is not None:
                away[np.arange(len(part)), places] = -2
        return [present, self._judged(near, scores, language, np.full(len(part), -1))]

    @cached_property
    def _parts(self) -> list[tuple[Ints, Head | None]]:
        """The spare texts in parts, neighbours in different ones, each with the head that all other texts teach."""
        languages = np.unique(self.knowledge.languages).tolist()
        spare = np.sort(np.concatenate([self._spare_texts(language) for language in languages]))
        return [(part, self._taught_without(part)) for part in (spare[start::PARTS] for start in range(PARTS))]

    def _taught_without(self, part: Ints) -> Head | None:
        knowledge = self.knowledge
        rest = np.delete(np.arange(len(knowledge.owners)), part)
        texts = (knowledge.owners[rest], knowledge.vectors[rest], knowledge.is_answer[rest])
        return self.head.taught(*texts) if self.head else None

    def _spare_texts(self, language: str) -> Ints:
        """Questions and phrasings of FAQs that have another one, at most HELD_OUT_MOST, spread evenly."""
        knowledge = self.knowledge
        texts = np.bincount(knowledge.owners[~knowledge.is_answer], minlength=len(knowledge.ids))
        mine = (knowledge.languages == language)[knowledge.owners]
        places = np.flatnonzero(~knowledge.is_answer & mine & (texts[knowledge.owners] > 1))
        return places[:: len(places) // HELD_OUT_MOST + 1]

    def _judged(self, near: Floats, scores: Floats | None, language: str, places: Ints) -> Sample:
        """Ranked like an answer is: the nearest FAQs of the language by cosine, then by both scores."""
        mine = np.flatnonzero(self.knowledge.languages == language)
        last = min(RANKED, len(mine)) - 1
        candidates = np.argpartition(-near[:, mine], last, axis=1)[:, : last + 1]
        cosines = np.take_along_axis(near[:, mine], candidates, axis=1).astype(np.float64)
        second = (
            np.take_along_axis(scores[:, mine], candidates, axis=1).astype(np.float64) if scores is not None else None
        )
        order, features = confidence.features_of(cosines, second)
        best = mine[candidates[np.arange(len(order)), order[:, 0]]]
        return Sample(features, best == places, places >= 0, np.ones(len(places)))


def _weighed(sample: Sample) -> Sample:
    weights = np.where(sample.known, 1 - FOREIGN_SHARE, FOREIGN_SHARE) * 2 * HELD_OUT_WEIGHT
    return Sample(sample.features, sample.right, sample.known, weights * min(1, HELD_OUT_TOTAL / weights.sum()))


def _calibrations(
    model: EmbeddingModel, embedder: Embedder, trial: Trial, asked: Sequence[GoldenQuestion]
) -> dict[str, Calibration]:
    """By language, for those with enough questions to say more than the shipped values. Raises ProviderError."""
    start = confidence.shipped(model.name, with_head=trial.head is not None)
    found = {}
    for language in sorted(set(trial.knowledge.languages.tolist())):
        samples = [trial.held_out(language), _golden_sample(embedder, trial, language, asked)]
        known = [sample for sample in samples if sample is not None]
        if sum(len(sample.features) for sample in known) >= QUESTIONS_AT_LEAST:
            found[language] = confidence.fitted(start, Sample.together(known))
    return found


def _golden_sample(embedder: Embedder, trial: Trial, language: str, asked: Sequence[GoldenQuestion]) -> Sample | None:
    mine = [one for one in asked if one.language == language]
    if not mine:
        return None
    vectors = np.array([runtime.run(question_vectors.of(embedder, one.text)) for one in mine], dtype=np.float32)
    return trial.golden(vectors, language, [trial.knowledge.place_of(one.faq_id) for one in mine])
