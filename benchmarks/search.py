"""`python -m benchmarks.search`: the FAQ search against its SQL, the recall of its index, and indexing against the bare model.

Vectors of width 384 around 200 random centres, three to a FAQ; a tenth of the FAQs is in another language and a tenth is not published.
Words come from a vocabulary of 20,000 by Zipf's law. By hand is the same statement, prepared, with psycopg alone; nearest is only the
nearest-neighbour query in it, with the same filter, index and number of candidates. Recall@10 is of the search, against the
same search over every vector.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from .live import django_here

if TYPE_CHECKING:
    from faqs.models import FAQ

WIDTH = 384
CENTRES = 200
QUERIES = 200
EXACT_QUERIES = 40
INDEXING_ROUNDS = 5
WORDS = [f"word{number}" for number in range(20_000)]
ZIPF = list(accumulate(1 / (rank + 1) for rank in range(len(WORDS))))
NEAREST = """
SELECT e.faq_id FROM faqs_embedding e JOIN faqs_faq f ON f.id = e.faq_id
WHERE e.model_id = {model} AND f.status = 'published' AND f.language = 'en'
ORDER BY e.embedding::vector({width}) <=> %(vector)s::vector({width}) LIMIT {limit}
"""


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    normal: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return normal


def near(generator: np.random.Generator, centres: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    chosen = centres[generator.integers(len(centres), size=count)]
    return unit(chosen + 0.7 * unit(generator.standard_normal((count, WIDTH))))


def words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, cum_weights=ZIPF, k=count))


def fill(model_id: int, category_id: int, first: int, last: int, vectors: NDArray[np.float64]) -> None:
    """FAQs `first` to `last - 1` with three vectors each, by COPY; the index is built afterwards."""
    from django.db import connection

    from faqs import selectors

    chance = random.Random(first)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [f"faqs_embedding_hnsw_{model_id}"])
        (definition,) = cursor.fetchone()
        cursor.execute(f"DROP INDEX faqs_embedding_hnsw_{model_id}")
        with cursor.copy(
            "COPY faqs_faq (id, category_id, question, answer, keywords, status, priority, language, view_count, helpful_count, "
            "not_helpful_count, slug, meta_title, meta_description, created_at, updated_at, published_at) FROM STDIN"
        ) as copy:
            for pk in range(first, last):
                language, status = "de" if pk % 10 == 0 else "en", "draft" if pk % 10 == 1 else "published"
                row = (
                    pk,
                    category_id,
                    f"{words(chance, 9)} {pk}?",
                    words(chance, 60),
                    "[]",
                    status,
                    50,
                    language,
                    0,
                    0,
                    0,
                    f"faq-{pk}",
                    "",
                    "",
                )
                copy.write_row((*row, "2026-01-01", "2026-01-01", None if status == "draft" else "2026-01-01"))
        with cursor.copy(
            "COPY faqs_embedding (model_id, faq_id, kind, text_hash, embedding, created_at) FROM STDIN"
        ) as copy:
            for index, pk in enumerate(range(first, last)):
                for place, kind in enumerate(("question", "phrasing", "answer")):
                    vector = selectors.literal(vectors[3 * index + place].tolist())
                    copy.write_row((model_id, pk, kind, f"{pk}-{kind}", vector, "2026-01-01"))
        cursor.execute("SET maintenance_work_mem = '1GB'; SET max_parallel_maintenance_workers = 0")
        cursor.execute(definition)
        cursor.execute("RESET maintenance_work_mem; RESET max_parallel_maintenance_workers")
        # The words' index takes in what waits in its list; visitors search a settled one.
        cursor.execute("VACUUM ANALYZE faqs_faq")
        cursor.execute("VACUUM ANALYZE faqs_embedding")


def timed(calls: Sequence[Callable[[], object]]) -> list[float]:
    """ms of each call."""
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def exactly(find: Callable[[Sequence[float]], list[int]], vectors: Sequence[Sequence[float]]) -> list[list[int]]:
    """What the search finds when it looks at every vector."""
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL plan_cache_mode = force_custom_plan")
        return [find(vector) for vector in vectors]


@contextmanager
def alone() -> Iterator["psycopg.Connection[Any]"]:
    """A connection of psycopg without Django, set up like Django's own."""
    from django.db import connection

    parameters = connection.get_connection_params() | {"autocommit": True, "cursor_factory": psycopg.Cursor}
    parameters = {name: value for name, value in parameters.items() if name not in {"pool", "context"}}
    with psycopg.connect(**parameters) as raw:
        yield raw


def measure(count: int, queries: NDArray[np.float64], model: "object") -> None:
    from faqs import selectors
    from faqs.models import EmbeddingModel

    assert isinstance(model, EmbeddingModel)
    nearest = NEAREST.format(model=model.pk, width=WIDTH, limit=selectors.CANDIDATES)
    whole = selectors.search_statement(model)
    chance = random.Random(count)

    def search(vector: Sequence[float], question: str = "", limit: int = 5) -> list[int]:
        found = selectors.searching(model=model, vector=vector, query_text=question, language="en", limit=limit).ask()
        return [passage.faq_id for passage in found]

    ten = partial(search, limit=10)
    rows: list[list[float]] = queries.tolist()
    asked = [words(chance, 9) for _ in rows]
    cold = timed([partial(search, rows[0], asked[0])])[0]
    taken: list[list[float]] = [[], [], []]
    with alone() as raw:

        def by_hand(sql: str, vector: Sequence[float], question: str) -> Any:
            values = {"languages": ["en"], "config": selectors.text_config("en"), "text": question, "limit": 5}
            return raw.execute(sql, values | {"vector": selectors.literal(vector)}).fetchall()

        for number, (vector, question) in enumerate(zip(rows, asked, strict=True)):
            calls: list[partial[Any]] = [partial(search, vector, question)]
            calls += [partial(by_hand, sql, vector, question) for sql in (whole, nearest)]
            # Each goes first in turn: the others find the vectors in memory.
            for place in ((number + turn) % 3 for turn in range(3)):
                taken[place] += timed([calls[place]])
    wanted = exactly(ten, rows[:EXACT_QUERIES])
    found = sum(len({*ten(vector)} & {*ids}) for vector, ids in zip(rows, wanted, strict=False))
    ours, hand, near_alone = map(statistics.median, taken)
    print(
        f"{count:8,d} {ours:9.1f} {sorted(taken[0])[-3]:9.1f} {hand:9.1f} {near_alone:9.1f} {ours / hand:9.2f} "
        f"{ours / near_alone:9.2f} {cold:9.1f} {found / sum(map(len, wanted)):10.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faqs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--indexed", type=int, default=400, help="FAQs to embed")
    options = parser.parse_args()
    with django_here():
        run(options.faqs, options.indexed)


def measure_indexing(count: int) -> None:
    """FAQs of two texts each, embedded and stored as the worker does it, against the model alone on the same texts.

    The model alone has as many processors as the worker takes, and one; the three take turns. A round before them warms up.
    """
    import chatbot.embedding
    from chatbot.providers.local import PROCESSORS, LocalEmbedder
    from faqs import services
    from faqs.models import Embedding, EmbeddingModel

    chatbot.embedding.register_models()
    english = LocalEmbedder.all(None)[0]
    EmbeddingModel.objects.exclude(name=english.name).update(status=EmbeddingModel.Status.RETIRED)
    texts = [text for faq in indexed_faqs(count) for _kind, text in services.texts_of(faq)]
    embed = partial(chatbot.embedding.embed_stale, seconds=3600)
    with ThreadPoolExecutor(PROCESSORS) as threads:
        calls: list[Callable[[], object]] = [
            embed,
            lambda: list(threads.map(english.encode, texts)),
            lambda: list(map(english.encode, texts)),
        ]
        rounds = []
        for _ in range(1 + INDEXING_ROUNDS):
            Embedding.objects.all().delete()
            rounds.append(timed(calls))
            stored = Embedding.objects.count()
            assert stored == len(texts), (stored, len(texts))
    ours, bare, one = map(statistics.median, zip(*rounds[1:], strict=True))
    rates = [1000 * len(texts) / taken for taken in (ours, bare, one)]
    print(
        f"\nindexing: {rates[0]:.0f} texts a second, the bare model {rates[1]:.0f}, ratio {bare / ours:.2f}; "
        f"on one processor {rates[2]:.0f}, ratio {one / ours:.2f}"
    )


def indexed_faqs(count: int) -> "list[FAQ]":
    from django.utils import timezone

    from faqs.models import FAQ, Category

    category = Category.objects.create(name="Indexed", slug="indexed")
    return [
        FAQ.objects.create(
            category=category,
            question=f"How do I change the delivery address of order {number} after I paid for it?",
            answer=f"Open your orders, choose order {number} and press Change address. " * 3,
            slug=f"indexed-{number}",
            status=FAQ.Status.PUBLISHED,
            published_at=timezone.now(),
        )
        for number in range(count)
    ]


def run(sizes: Sequence[int], indexed: int) -> None:
    from faqs import services
    from faqs.models import FAQ, Category, EmbeddingModel

    model = services.register_model(provider="bench", name="random", width=WIDTH, languages=[])
    category = Category.objects.create(name="All", slug="all")
    generator = np.random.default_rng(7)
    centres = unit(generator.standard_normal((CENTRES, WIDTH)))
    queries = near(generator, centres, QUERIES)
    print(
        "    FAQs    search ms    by hand ms   nearest     search to   search to  first ms  recall@10\n"
        "             p50       p99       p50       p50   by hand   nearest"
    )
    before = 0
    for count in sizes:
        fill(model.pk, category.pk, before + 1, count + 1, near(generator, centres, 3 * (count - before)))
        services.count_words()
        measure(count, queries, model)
        before = count
    EmbeddingModel.objects.all().delete()
    FAQ.objects.all().delete()
    measure_indexing(indexed)


if __name__ == "__main__":
    main()
