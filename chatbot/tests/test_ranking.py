"""The head on made-up vectors: phrasings of one FAQ differ along directions that say nothing."""

import numpy as np
import pytest

from chatbot import ranking
from chatbot.ranking import Floats, Head, Ints

FAQS, PHRASINGS, WIDTH = 40, 4, 16


def knowledge(phrasings: int = PHRASINGS) -> tuple[Ints, Ints, Floats]:
    """FAQs that differ in the first half of the numbers; the second half is noise, and larger."""
    chance = np.random.default_rng(5)
    topics = np.repeat(chance.normal(0, 1, (FAQS, WIDTH)) * (np.arange(WIDTH) < WIDTH // 2), phrasings, axis=0)
    noise = chance.normal(0, 2, (FAQS * phrasings, WIDTH)) * (np.arange(WIDTH) >= WIDTH // 2)
    owners = np.repeat(np.arange(FAQS), phrasings)
    return np.arange(FAQS) * 3 + 7, owners, ranking.unit(topics + noise)


def fitted(phrasings: int = PHRASINGS) -> tuple[Head, Ints, Floats]:
    ids, owners, vectors = knowledge(phrasings)
    head = ranking.fit(ids, owners, vectors, np.zeros(len(owners), dtype=bool))
    assert head is not None
    return head, owners, vectors


def right(scores: Floats, owners: Ints) -> float:
    return float((scores.argmax(axis=1) == owners).mean())


def test_the_head_learns_what_does_not_matter() -> None:
    head, owners, vectors = fitted()
    plain = np.stack([vectors[owners == place].mean(axis=0) for place in range(FAQS)])
    by_head = right(head.turned(vectors) @ head.centres.T, owners)
    assert by_head > right(vectors @ ranking.unit(plain).T, owners) + 0.05


def test_without_phrasings_it_is_the_cosine_around_the_mean() -> None:
    head, owners, vectors = fitted(1)
    assert right(head.turned(vectors) @ head.centres.T, owners) == 1
    assert np.array_equal(head.turn, np.eye(WIDTH))


def test_too_few_faqs_teach_nothing() -> None:
    ids, owners, vectors = knowledge()
    few = owners < ranking.FAQS_AT_LEAST - 1
    assert (
        ranking.fit(ids[: ranking.FAQS_AT_LEAST - 1], owners[few], vectors[few], np.zeros(few.sum(), dtype=bool))
        is None
    )


def test_an_answer_weighs_less_than_a_phrasing() -> None:
    ids, owners, vectors = knowledge()
    is_answer = np.arange(len(owners)) % PHRASINGS == 0
    head = ranking.fit(ids, owners, vectors, is_answer)
    assert head is not None
    own = np.einsum("ij,ij->i", head.turned(vectors), head.centres[owners])
    assert own[~is_answer].mean() > own[is_answer].mean()


@pytest.mark.parametrize(
    ("faq_ids", "known"), [([7, 13], True), ([13, 7], True), ([7, 8], False), ([7, 10_000], False)]
)
def test_a_head_that_does_not_know_a_faq_says_nothing(faq_ids: list[int], known: bool) -> None:
    head, _owners, vectors = fitted()
    scores = head.scores(vectors[0], np.array(faq_ids))
    assert (scores is not None) is known
    if scores is not None:
        assert np.allclose(scores, (head.centres @ head.turned(vectors[0]))[[(one - 7) // 3 for one in faq_ids]])


def test_a_stored_head_scores_the_same() -> None:
    head, _owners, vectors = fitted()
    again = Head.from_bytes(head.to_bytes())
    ours, theirs = head.scores(vectors[3], head.ids), again.scores(vectors[3], again.ids)
    assert ours is not None
    assert theirs is not None
    assert np.allclose(ours, theirs, atol=2e-3)


def test_centres_move_away_from_the_phrasings_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    parted, owners, vectors = fitted()
    monkeypatch.setattr(ranking, "PARTED_MOST", 0)
    plain, _owners, _vectors = fitted()
    assert np.linalg.norm(parted.centres, axis=1).mean() == pytest.approx(1, abs=1e-4)
    assert lead(parted, owners, vectors) > lead(plain, owners, vectors) + 0.01


def lead(head: Head, owners: Ints, vectors: Floats) -> float:
    """How much likelier, on average, a text's own FAQ is than the best of the others."""
    scores = head.turned(vectors) @ head.centres.T
    own = scores[np.arange(len(owners)), owners].copy()
    scores[np.arange(len(owners)), owners] = -2
    return float((own - scores.max(axis=1)).mean())


def test_too_many_phrasings_keep_the_plain_centres(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "PARTED_MOST", FAQS * FAQS * PHRASINGS - 1)
    head, _owners, _vectors = fitted()
    assert np.allclose(np.linalg.norm(head.centres, axis=1), 1, atol=1e-5)


def test_taught_again_by_the_same_texts_it_is_the_same_head() -> None:
    head, owners, vectors = fitted()
    again = head.taught(owners, vectors, np.zeros(len(owners), dtype=bool))
    assert np.array_equal(again.centres, head.centres)
