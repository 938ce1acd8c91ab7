"""`make eval`: how well questions are answered, by the code that answers visitors, on FAQs in PostgreSQL.

The public sets are read when they are there (`PARLEY_DATA`); the demo content with its golden questions always is. Confidence is fitted
on every second question of a set; the calibration error and the out-of-scope figures are those of the others.
"""

import argparse
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.live import django_here

from . import datasets, figures
from .datasets import Asked, DataSet

CACHE = Path(os.environ.get("PARLEY_VAR", Path(__file__).parents[2] / "var")) / "evaluation" / "vectors.sqlite3"
TIMED = 100
EIGHT = ["en", "de", "fr", "es", "it", "pt", "nl", "pl"]
COLUMNS = ("acc@1", "recall@3", "MRR", "AUROC", "rejected", "ECE", "ms")
HEADER = f"{'':22}{'FAQs':>6}{'asked':>7}" + "".join(f"{column:>10}" for column in COLUMNS)


@dataclass(frozen=True)
class Result:
    """What came of one question: the place of the right FAQ among those found (0: not among them)."""

    asked: Asked
    place: int
    decision: str
    confidence: float
    known: float


def load(data: DataSet) -> dict[str, int]:
    """Publish the set's FAQs, embed them as the worker does, and tell their ids by key."""
    from django.utils import timezone

    from chatbot import embedding
    from chatbot.live_models import live_models
    from faqs.models import FAQ, Category, Embedding, Phrasing

    FAQ.objects.all().delete()
    category, _created = Category.objects.get_or_create(name="Evaluation", slug="evaluation")
    rows = [
        FAQ(
            category=category,
            question=entry.texts[0][:300],
            answer=entry.answer,
            status=FAQ.Status.PUBLISHED,
            published_at=timezone.now(),
            slug=f"faq-{number}",
        )
        for number, entry in enumerate(data.entries)
    ]
    FAQ.objects.bulk_create(rows)
    pairs = list(zip(rows, data.entries, strict=True))
    Phrasing.objects.bulk_create(Phrasing(faq=faq, text=text[:300]) for faq, one in pairs for text in one.texts[1:])
    embedding.embed_stale(seconds=3600)
    assert Embedding.objects.exists()
    live_models.forget()
    return {entry.key: faq.pk for faq, entry in pairs}


def fit(questions: Sequence[Asked], ids: dict[str, int]) -> None:
    """Fit the English model's head and confidence as the worker does, with these golden questions."""
    from chatbot import fitting
    from chatbot.golden import GoldenQuestion
    from chatbot.live_models import live_models
    from chatbot.providers import registry

    golden = [GoldenQuestion(one.text, "en", ids[one.key] if one.key else None) for one in questions]
    for model, embedder in registry.usable_models():
        if model.languages:
            fitting.fit_model(model, embedder, golden)
    live_models.forget()


def ask(question: Asked, ids: dict[str, int]) -> Result:
    from chatbot import runtime
    from chatbot.retrieval import retrieve

    found = runtime.run(retrieve(question.text, "en"))
    faq_ids = [passage.faq_id for passage in found.passages]
    right = ids.get(question.key) if question.key else None
    place = faq_ids.index(right) + 1 if right in faq_ids else 0
    return Result(question, place, found.decision.value, found.confidence, found.known)


def milliseconds(questions: Sequence[Asked], ids: dict[str, int]) -> float:
    """The median from question to decision with nothing remembered, the model's own time included."""
    from chatbot.providers import registry
    from chatbot.question_vectors import question_vectors

    kept = list(registry.embedders())
    registry.embedders.cache_clear()
    ask(questions[0], ids)
    taken = []
    for question in questions[:: len(questions) // TIMED + 1]:
        question_vectors.forget()
        began = time.perf_counter()
        ask(question, ids)
        taken.append((time.perf_counter() - began) * 1000)
    registry.embedders()[:] = kept
    return statistics.median(taken)


def evaluate(data: DataSet) -> dict[str, float]:
    """The figures of one set by their names in the table; the out-of-scope ones only where something is out of scope."""
    ids = load(data)
    fit(data.asked[::2], ids)
    results = [ask(question, ids) for question in data.asked]
    inside, others = [one for one in results if one.asked.key], results[1::2]
    places = [one.place for one in inside]
    found = {
        "acc@1": places.count(1) / len(places),
        "recall@3": sum(1 <= place <= 3 for place in places) / len(places),
        "MRR": sum(1 / place for place in places if place) / len(places),
    }
    kept = [one.known for one in others if one.asked.key]
    if foreign := [one.known for one in others if not one.asked.key]:
        found |= {"AUROC": figures.auroc(kept, foreign), "rejected": figures.rejected(kept, foreign)}
    ece = figures.calibration_error([one.confidence for one in others], [one.place == 1 for one in others])
    return found | {"ECE": ece, "ms": milliseconds(data.asked, ids)}


def line(name: str, sets: Sequence[DataSet]) -> str:
    """One line of the table: the mean of the sets, and how far their accuracies spread (standard deviation)."""
    found = [evaluate(data) for data in sets]
    cells = f"{name:22}{len(sets[0].entries):6}{len(sets[0].asked):7}"
    for column in COLUMNS:
        values = [one[column] for one in found if column in one]
        places = 1 if column == "ms" else 3
        cells += f"{statistics.fmean(values):10.{places}f}" if values else f"{'':10}"
    if len(found) > 1:
        cells += f"   {len(found)} draws, acc@1 ±{statistics.stdev(one['acc@1'] for one in found):.3f}"
    return cells


def evaluate_golden() -> str:
    """The demo content: fitted on every second golden question, then the others are asked in their own languages."""
    from collections import Counter

    from django.core.management import call_command

    from chatbot import embedding, fitting, golden, runtime
    from chatbot.live_models import live_models
    from chatbot.providers import registry
    from chatbot.retrieval import retrieve
    from faqs.models import FAQ

    FAQ.objects.all().delete()
    call_command("load_demo", verbosity=0)
    embedding.embed_stale(seconds=3600)
    questions = golden.questions()
    for model, embedder in registry.usable_models():
        fitting.fit_model(model, embedder, questions[::2])
    live_models.forget()
    known, foreign = Counter[str](), Counter[str]()
    for question in questions[1::2]:
        found = runtime.run(retrieve(question.text, question.language))
        first = [passage.faq_id for passage in found.passages[: 1 if found.decision == "answer" else 2]]
        outcome = found.decision.value
        if question.faq_id and outcome != "decline" and question.faq_id not in first:
            outcome = "wrong"
        (known if question.faq_id else foreign)[outcome] += 1
    return f"demo content, the golden questions not fitted on: with an answer {dict(known)}, without {dict(foreign)}"


def evaluate_language() -> str:
    from django.conf import settings

    from chatbot import understanding

    sentences = datasets.read("language_sentences")
    settings.LANGUAGES = [(code, code) for code in EIGHT]
    understanding._detector.cache_clear()
    understanding._confidences.cache_clear()
    asked = [(text, code) for code in EIGHT for text in sentences[code]]
    began = time.perf_counter()
    right = [understanding.language_of(text, "en") == code for text, code in asked]
    each = (time.perf_counter() - began) * 1000 / len(asked)
    return f"language of {len(asked)} sentences in {len(EIGHT)} languages: {sum(right) / len(right):.3f}, {each:.2f} ms each"


def evaluate_sentiment() -> str:
    """Positive against negative sentences of films, and calm questions of bank customers that are taken for annoyed ones."""
    from chatbot import mood, runtime
    from chatbot.providers import registry

    english = registry.embedders()[0]
    sentences = datasets.read("sst2_dev")["test"]
    felt = [runtime.run(mood.mood_of(english, text)).sentiment > 0 for text, _label in sentences]
    told = f"sentiment of {len(felt)} sentences: F1 {figures.f1(felt, [label == 1 for _text, label in sentences]):.3f}"
    if calm := datasets.read("banking77"):
        flagged = [runtime.run(mood.mood_of(english, text)).annoyance > 0 for text, _topic in calm["test"]]
        told += (
            f"; of {len(flagged)} questions of bank customers {sum(flagged) / len(flagged):.2%} are taken for annoyed"
        )
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="sets whose name contains this")
    options = parser.parse_args()
    with django_here():
        from . import vectors

        vectors.keep_on_disk(CACHE)
        print(HEADER, flush=True)
        for name, sets in datasets.all_sets():
            if options.only in name:
                print(line(name, sets), flush=True)
        print(evaluate_golden(), flush=True)
        if datasets.read("sst2_dev"):
            print(evaluate_sentiment(), flush=True)
        if datasets.read("language_sentences"):
            print(evaluate_language(), flush=True)


if __name__ == "__main__":
    main()
