"""`python -m benchmarks.search`: the FAQ search against its bare SQL, the recall of its index, and indexing against the bare model.

Vectors of width 384 around 200 random centres, three to a FAQ; a tenth of the FAQs is in another language and a tenth is not published.
Bare SQL is the nearest-neighbour query alone, with the same filter and the same index. Recall@10 compares with an exact scan.
"""

import argparse
import math
import random
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .live import django_here

WIDTH = 384
CENTRES = 200
QUERIES = 200
EXACT_QUERIES = 40
WORDS = ["delivery", "refund", "invoice", "sofa", "parcel", "voucher", "size", "warranty", "address", "password"]
BARE = """
SELECT e.faq_id FROM faqs_embedding e JOIN faqs_faq f ON f.id = e.faq_id
WHERE e.model_id = {model} AND f.status = 'published' AND f.language = 'en'
ORDER BY e.embedding::vector({width}) <=> %s::vector({width}) LIMIT {limit}
"""


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    normal: NDArray[np.float64] = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return normal


def near(generator: np.random.Generator, centres: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    chosen = centres[generator.integers(len(centres), size=count)]
    return unit(chosen + 0.7 * unit(generator.standard_normal((count, WIDTH))))


def literal(vector: Sequence[float]) -> str:
    return "[" + ",".join(f"{number:.6f}" for number in vector) + "]"


def fill(model_id: int, category_id: int, first: int, last: int, vectors: NDArray[np.float64]) -> None:
    """FAQs `first` to `last - 1` with three vectors each, by COPY."""
    from django.db import connection

    chance = random.Random(first)
    with connection.cursor() as cursor:
        with cursor.copy(
            "COPY faqs_faq (id, category_id, question, answer, keywords, status, priority, language, view_count, helpful_count, "
            "not_helpful_count, slug, meta_title, meta_description, created_at, updated_at, published_at) FROM STDIN"
        ) as copy:
            for pk in range(first, last):
                words = " ".join(chance.choices(WORDS, k=5))
                language, status = "de" if pk % 10 == 0 else "en", "draft" if pk % 10 == 1 else "published"
                row = (
                    pk,
                    category_id,
                    f"{words} {pk}?",
                    words,
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
                    vector = literal(vectors[3 * index + place])
                    copy.write_row((model_id, pk, kind, f"{pk}-{kind}", vector, "2026-01-01"))
        cursor.execute("ANALYZE faqs_faq; ANALYZE faqs_embedding")


def timed(calls: Sequence[Callable[[], object]]) -> list[float]:
    """ms of each call."""
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def ids(sql: str, vector: Sequence[float], setting: str) -> list[int]:
    from django.db import connection, transaction

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(setting)
        cursor.execute(sql, [literal(vector)])
        return [row[0] for row in cursor.fetchall()]


def measure(count: int, queries: NDArray[np.float64], model: "object") -> None:
    from faqs import selectors
    from faqs.models import EmbeddingModel

    assert isinstance(model, EmbeddingModel)
    bare = BARE.format(model=model.pk, width=WIDTH, limit=selectors.CANDIDATES)
    ten = BARE.format(model=model.pk, width=WIDTH, limit=10)
    iterative = "SET LOCAL hnsw.iterative_scan = relaxed_order"

    def search(vector: Sequence[float]) -> object:
        return selectors.search(model=model, vector=vector, query_text="where is my parcel", language="en")

    rows = [list(map(float, query)) for query in queries]
    cold = timed([lambda: search(rows[0])])[0]
    whole = timed([lambda vector=vector: search(vector) for vector in rows])  # type: ignore[misc]
    plain = timed([lambda vector=vector: ids(bare, vector, iterative) for vector in rows])  # type: ignore[misc]
    found = [
        len({*ids(ten, v, iterative)} & {*ids(ten, v, "SET LOCAL enable_indexscan = off")})
        for v in rows[:EXACT_QUERIES]
    ]
    wanted = [len({*ids(ten, v, "SET LOCAL enable_indexscan = off")}) for v in rows[:EXACT_QUERIES]]
    medians = statistics.median(whole), statistics.median(plain)
    print(
        f"{count:8,d} {medians[0]:9.1f} {sorted(whole)[-3]:9.1f} {medians[1]:9.1f} {sorted(plain)[-3]:9.1f} "
        f"{medians[0] / medians[1]:6.2f} {cold:9.1f} {sum(found) / sum(wanted):9.3f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faqs", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--indexed", type=int, default=200, help="FAQs to embed")
    options = parser.parse_args()
    with django_here():
        run(options.faqs, options.indexed)


def measure_indexing(count: int) -> None:
    """FAQs with three texts each, embedded and stored as the worker does it, against the model alone on the same texts."""
    from django.utils import timezone

    import chatbot.embedding
    from chatbot.providers.local import LocalEmbedder
    from faqs import services
    from faqs.models import FAQ, Category, Embedding, EmbeddingModel

    chatbot.embedding.register_models()
    english = LocalEmbedder.all(None)[0]
    EmbeddingModel.objects.exclude(name=english.name).update(status=EmbeddingModel.Status.RETIRED)
    category = Category.objects.create(name="Indexed", slug="indexed")
    faqs = [
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
    texts = [text for faq in faqs for _kind, text in services.texts_of(faq)]
    english.encode(texts[0])
    bare = math.fsum(timed([partial(english.encode, text) for text in texts]))
    ours = timed([lambda: chatbot.embedding.embed_stale(seconds=3600)])[0]
    stored = Embedding.objects.filter(faq__category=category).count()
    assert stored == len(texts), (stored, len(texts))
    rates = [1000 * len(texts) / taken for taken in (ours, bare)]
    print(f"\nindexing: {rates[0]:.0f} texts a second, the bare model {rates[1]:.0f}, ratio {rates[0] / rates[1]:.2f}")


def run(sizes: Sequence[int], indexed: int) -> None:
    from faqs import services
    from faqs.models import FAQ, Category, EmbeddingModel

    model = services.register_model(provider="bench", name="random", width=WIDTH, languages=[])
    category = Category.objects.create(name="All", slug="all")
    generator = np.random.default_rng(7)
    centres = unit(generator.standard_normal((CENTRES, WIDTH)))
    queries = near(generator, centres, QUERIES)
    print(
        "    FAQs    search ms       bare SQL ms      ratio   first ms  recall@10\n             p50       p99       p50       p99"
    )
    before = 0
    for count in sizes:
        fill(model.pk, category.pk, before + 1, count + 1, near(generator, centres, 3 * (count - before)))
        measure(count, queries, model)
        before = count
    EmbeddingModel.objects.all().delete()
    FAQ.objects.all().delete()
    measure_indexing(indexed)


if __name__ == "__main__":
    main()
