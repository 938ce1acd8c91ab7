"""Vectors follow texts; the search finds what is near, published and in the right language."""

import random

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from faqs import selectors, services
from faqs.models import FAQ, Category, CommonWord, Embedding, EmbeddingModel, Phrasing

WIDTH = 4


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(name="Delivery", slug="delivery")


@pytest.fixture
def model(db: None) -> EmbeddingModel:
    return services.register_model(provider="local", name="tiny", width=WIDTH, languages=[])


def faq(category: Category, question: str, **values: str) -> FAQ:
    defaults = {"answer": f"The answer to {question}", "status": "published", "language": "en"}
    return FAQ.objects.create(category=category, question=question, **(defaults | values))


def embed(model: EmbeddingModel, row: FAQ, question: list[float], answer: list[float]) -> None:
    vectors = {text: question if kind != "answer" else answer for kind, text in services.texts_of(row)}
    services.store_embeddings(model=model, faqs=[row], vectors=vectors)


def found(model: EmbeddingModel, vector: list[float], text: str = "", language: str = "en") -> list[tuple[str, float]]:
    passages = selectors.searching(model=model, vector=vector, query_text=text, language=language).ask()
    return [(passage.question, round(passage.score, 3)) for passage in passages]


def test_models_are_registered_once_with_an_index_of_their_own(model: EmbeddingModel) -> None:
    assert services.register_model(provider="local", name="tiny", width=WIDTH, languages=[]) == model
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = %s", [f"faqs_embedding_hnsw_{model.pk}"])
        assert "hnsw" in cursor.fetchone()[0]


def test_best_first_published_only_and_in_the_language(category: Category, model: EmbeddingModel) -> None:
    embed(model, faq(category, "Near"), [1, 0.1, 0, 0], [0, 0, 1, 0])
    embed(model, faq(category, "Far"), [0, 1, 0, 0], [0, 0, 1, 0])
    embed(model, faq(category, "Nah", language="de"), [1, 0, 0, 0], [0, 0, 1, 0])
    hidden = faq(category, "Hidden")
    embed(model, hidden, [1, 0, 0, 0], [0, 0, 1, 0])
    FAQ.objects.filter(pk=hidden.pk).update(status="archived")
    assert [question for question, _score in found(model, [1, 0, 0, 0])] == ["Near", "Far"]
    assert [question for question, _score in found(model, [1, 0, 0, 0], language="de")] == ["Nah"]


def test_scores_are_exact_cosines_and_answers_weigh_less(category: Category, model: EmbeddingModel) -> None:
    embed(model, faq(category, "By answer"), [0, 1, 0, 0], [1, 0, 0, 0])
    embed(model, faq(category, "By question"), [0.8, 0.6, 0, 0], [0, 0, 0, 1])
    assert found(model, [1, 0, 0, 0]) == [("By answer", 0.95), ("By question", 0.8)]


@pytest.mark.parametrize(
    ("sharing", "text", "expected"),
    [
        (1, "klarna?", True),
        (1, "What about Klarna and the crowd", True),
        (selectors.RARE, "klarna", True),
        (selectors.RARE + 1, "klarna", False),
        (1, "instalment", True),
        (1, "paypal", False),
    ],
)
def test_full_text_adds_candidates_that_share_a_rare_word(
    category: Category, model: EmbeddingModel, sharing: int, text: str, expected: bool
) -> None:
    for number in range(selectors.CANDIDATES):
        embed(model, faq(category, f"Crowd {number}"), [1, 0.001 * number, 0, 0], [1, 0, 0, 0])
    for number in range(sharing):
        embed(model, faq(category, f"Klarna instalments {number}"), [0, 0, 1, 0], [0, 0, 0, 1])
    passages = selectors.searching(model=model, vector=[1, 0, 0, 0], query_text=text, language="en", limit=100).ask()
    assert any(passage.question.startswith("Klarna") for passage in passages) is expected


@pytest.mark.parametrize("text", ["", "'; DROP TABLE x; --", "a & | ! ( :*", "\\", "<->", "it's", "c:\\\\temp's $$"])
def test_any_text_can_be_searched(category: Category, model: EmbeddingModel, text: str) -> None:
    embed(model, faq(category, f"One {text}"), [1, 0, 0, 0], [0, 1, 0, 0])
    assert found(model, [1, 0, 0, 0], text)[0][0] == f"One {text}"


def test_search_equals_brute_force(category: Category, model: EmbeddingModel) -> None:
    chance = random.Random(3)
    for number in range(60):
        embed(
            model,
            faq(category, f"Q{number}"),
            [chance.gauss(0, 1) for _ in range(WIDTH)],
            [chance.gauss(0, 1) for _ in range(WIDTH)],
        )
    vector = [chance.gauss(0, 1) for _ in range(WIDTH)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f.question FROM faqs_embedding e JOIN faqs_faq f ON f.id = e.faq_id GROUP BY f.id "
            "ORDER BY max((1 - (e.embedding <=> %s::vector)) * CASE e.kind WHEN 'answer' THEN 0.95 ELSE 1 END) DESC LIMIT 5",
            [str(vector)],
        )
        exact = [row[0] for row in cursor.fetchall()]
    assert [question for question, _score in found(model, vector)] == exact


def test_search_is_one_statement(
    category: Category, model: EmbeddingModel, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        found(model, [1, 0, 0, 0], "anything")


def test_stored_vectors_follow_the_texts(category: Category, model: EmbeddingModel) -> None:
    row = faq(category, "Old question")
    Phrasing.objects.create(faq=row, text="Another way")
    assert selectors.stale_faqs(model, 10) == [row]
    embed(model, row, [1, 0, 0, 0], [0, 1, 0, 0])
    assert selectors.stale_faqs(model, 10) == []
    assert services.missing_texts(model, [row]) == []
    row.question = "New question"
    row.save()
    assert selectors.stale_faqs(model, 10) == [row]
    assert selectors.stale_faqs(model, 10, after=row.pk) == []
    assert services.missing_texts(model, [row]) == ["New question"]
    embed(model, row, [0, 0, 1, 0], [0, 1, 0, 0])
    assert Embedding.objects.filter(faq=row).count() == 3
    row.status = FAQ.Status.ARCHIVED
    row.save()
    assert selectors.stale_faqs(model, 10) == [row]
    services.store_embeddings(model=model, faqs=[row], vectors={})
    assert not Embedding.objects.exists()


def test_a_text_over_the_limit_and_other_letters_are_not_stale_for_ever(
    category: Category, model: EmbeddingModel
) -> None:
    row = faq(category, "Größe? 😀", answer="é😀" * 2000)
    embed(model, row, [1, 0, 0, 0], [0, 1, 0, 0])
    assert selectors.stale_faqs(model, 10) == []


def test_a_model_of_one_language_keeps_no_others(category: Category) -> None:
    english = services.register_model(provider="local", name="english", width=WIDTH, languages=["en"])
    row = faq(category, "Hallo", language="de")
    assert selectors.stale_faqs(english, 10) == []
    vector = Embedding.objects.create(model=english, faq=row, kind="question", text_hash="x", embedding=[1, 0, 0, 0])
    assert selectors.stale_faqs(english, 10) == [row]
    embed(english, row, [1, 0, 0, 0], [0, 1, 0, 0])
    assert not Embedding.objects.filter(pk=vector.pk).exists()
    assert selectors.stale_faqs(english, 10) == []


def test_a_known_text_is_not_embedded_again(category: Category, model: EmbeddingModel) -> None:
    first, second = faq(category, "Same", slug="one", answer="A"), faq(category, "Same", slug="two", answer="A")
    embed(model, first, [1, 0, 0, 0], [0, 1, 0, 0])
    assert services.missing_texts(model, [second]) == []
    services.store_embeddings(model=model, faqs=[second], vectors={})
    vectors = {tuple(row.embedding) for row in Embedding.objects.filter(kind="question")}
    assert (Embedding.objects.count(), len(vectors)) == (4, 1)


def test_texts_that_faqs_share_are_embedded_once(category: Category, model: EmbeddingModel) -> None:
    rows = [faq(category, "Same", slug=slug, answer="A") for slug in ("one", "two")]
    assert services.missing_texts(model, rows) == ["Same", "A"]
    services.store_embeddings(model=model, faqs=rows, vectors={"Same": [1, 0, 0, 0], "A": [0, 1, 0, 0]})
    assert selectors.stale_faqs(model, 10) == []


def test_common_words_are_counted_by_language(category: Category, model: EmbeddingModel) -> None:
    for number in range(selectors.RARE + 1):
        faq(category, f"Klarna {number}", answer="A")
        faq(category, f"Draft {number}", answer="A", status="draft")
    for number in range(selectors.RARE):
        faq(category, f"Sofort {number}", answer="A", language="de")
    for _ in range(2):
        services.count_words()
        assert list(CommonWord.objects.values_list("language", "lexeme")) == [("en", "klarna")]


def test_slugs_come_from_the_question(category: Category) -> None:
    assert faq(category, "Where is my parcel?").slug == "where-is-my-parcel"
    assert faq(category, "配送").slug == "faq"
