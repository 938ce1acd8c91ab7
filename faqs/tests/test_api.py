"""The knowledge base over the API: what each role reads and writes."""

import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.roles import sync_role
from faqs import services
from faqs.models import FAQ, Category
from rest.problems import Unavailable

ROOT = "/api/v1/faqs"
Body = dict[str, Any]


def client_of(role: str | None) -> APIClient:
    client = APIClient()
    if role is not None:
        user = User.objects.create_user(f"{role}@example.com", "x", role=role)
        sync_role(user)
        client.force_authenticate(user)
    return client


@pytest.fixture
def editor(db: None) -> APIClient:
    return client_of("editor")


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(name="Delivery", slug="delivery")


@pytest.fixture
def faq(category: Category) -> FAQ:
    faq = FAQ(category=category, question="How long?", answer="Two days.", status="published")
    return services.save_faq(faq=faq, phrasings=["When?"])


@pytest.fixture
def draft(category: Category) -> FAQ:
    return services.save_faq(faq=FAQ(category=category, question="How much?", answer="Five."), phrasings=[])


def body(of: Category, **values: Any) -> Body:
    return {"question": "Where?", "answer": "Here.", "category": of.pk, "phrasings": ["In which place?"]} | values


def test_editors_write_and_everybody_reads_what_is_published(editor: APIClient, category: Category) -> None:
    made = editor.post(ROOT, body(category, status="published", keywords=["place"]))
    assert made.status_code == 201
    assert (made.json()["slug"], made.json()["phrasings"]) == ("where", ["In which place?"])
    path = f"{ROOT}/{made.json()['id']}"
    changed = editor.patch(path, {"answer": "There.", "phrasings": ["Which place?", "Which place?"]})
    assert (changed.json()["answer"], changed.json()["phrasings"]) == ("There.", ["Which place?"])
    assert APIClient().get(path).json()["answer"] == "There."
    assert editor.delete(path).status_code == 204
    assert APIClient().get(path).status_code == 404


def test_drafts_are_for_curators_alone(faq: FAQ, draft: FAQ, editor: APIClient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        public = APIClient().get(ROOT).json()["results"]
    assert [row["id"] for row in public] == [faq.pk]
    assert {row["id"] for row in editor.get(ROOT).json()["results"]} == {faq.pk, draft.pk}
    assert [row["id"] for row in editor.get(ROOT, {"status": "draft"}).json()["results"]] == [draft.pk]
    assert APIClient().get(f"{ROOT}/{draft.pk}").status_code == 404
    assert editor.get(f"{ROOT}/{draft.pk}").status_code == 200


@pytest.mark.parametrize(("role", "code"), [(None, 401), ("user", 403), ("agent", 403), ("analyst", 403)])
def test_others_do_not_write(faq: FAQ, category: Category, role: str | None, code: int) -> None:
    client = client_of(role)
    paths = (f"{ROOT}/{faq.pk}", f"{ROOT}/categories/{category.pk}")
    refused = [client.post(ROOT, body(category)), client.post(f"{ROOT}/categories", {"name": "X", "slug": "x"})]
    refused += [
        answer for path in paths for answer in (client.patch(path, {}), client.put(path, {}), client.delete(path))
    ]
    assert {answer.status_code for answer in refused} == {code}
    assert FAQ.objects.get().question == "How long?"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"question": ""}, "question"),
        ({"question": 5}, "question"),
        ({"category": 0}, "category"),
        ({"category": True}, "category"),
        ({"priority": 101}, "priority"),
        ({"priority": "7"}, "priority"),
        ({"status": 1}, "status"),
        ({"slug": "how-long"}, "slug"),
        ({"phrasings": ["x" * 301]}, "phrasings.0"),
        ({"keywords": [1]}, "keywords.0"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_stored(
    editor: APIClient, faq: FAQ, category: Category, values: Body, field: str
) -> None:
    response = editor.post(ROOT, body(category, **values))
    assert response.status_code in {400, 422}
    assert list(response.json()["fields"]) == [field]
    assert FAQ.objects.get() == faq


def test_half_a_surrogate_pair_is_refused(editor: APIClient, category: Category) -> None:
    text = json.dumps(body(category, answer="half a \ud83d pair"))
    response = editor.generic("POST", ROOT, text, content_type="application/json")
    assert list(response.json()["fields"]) == ["answer"]


def test_categories_in_use_stay(editor: APIClient, faq: FAQ, django_assert_num_queries: Any) -> None:
    path = f"{ROOT}/categories/{faq.category_id}"
    in_use = editor.delete(path)
    assert (in_use.status_code, in_use.json()["code"]) == (409, "category_in_use")
    assert editor.patch(path, {"position": 3}).json()["position"] == 3
    with django_assert_num_queries(1):
        assert [row["name"] for row in APIClient().get(f"{ROOT}/categories").json()["results"]] == ["Delivery"]
    services.delete_faq(faq=faq)
    assert editor.delete(path).status_code == 204


def found(question: str, language: str) -> Any:
    passage = {
        "faq_id": 1,
        "question": "How long?",
        "answer": "Two days.",
        "language": language,
        "url": "/help/how-long",
    }
    return "answer", [passage | {"score": 0.9, "matched": "question"}]


def away(question: str, language: str) -> Any:
    raise Unavailable


def test_the_search_asks_the_assistant(db: None, settings: Any) -> None:
    settings.RETRIEVAL_LOOKUP = f"{__name__}.found"
    result = APIClient().get(f"{ROOT}/search", {"q": "how long", "language": "de"}).json()
    assert (result["decision"], result["results"][0]["language"]) == ("answer", "de")
    settings.RETRIEVAL_LOOKUP = f"{__name__}.away"
    assert APIClient().get(f"{ROOT}/search", {"q": "how long"}).json()["code"] == "unavailable"


@pytest.mark.parametrize("query", [{}, {"q": "x" * 501}, {"q": "x", "language": "xx"}])
def test_searches_that_mean_nothing_are_refused(db: None, query: dict[str, str]) -> None:
    assert APIClient().get(f"{ROOT}/search", query).json()["code"] == "invalid"
