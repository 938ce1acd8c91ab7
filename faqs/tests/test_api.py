"""The knowledge base over the API: what each role reads and writes."""

import json
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from accounts.roles import sync_role
from deploy.tests.processes import until
from faqs import curation, services
from faqs.models import FAQ, Category
from rest.problems import Unavailable
from rest.tests.locks import somebody_waits

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
    faq = FAQ.objects.create(category=category, question="How long?", answer="Two days.", status="published")
    faq.phrasings.create(text="When?")
    return faq


@pytest.fixture
def draft(category: Category) -> FAQ:
    return FAQ.objects.create(category=category, question="How much?", answer="Five.")


def body(of: Category, **values: Any) -> Body:
    return {"question": "Where?", "answer": "Here.", "category": of.pk, "phrasings": ["In which place?"]} | values


def test_editors_write_and_everybody_reads_what_is_published(editor: APIClient, category: Category) -> None:
    made = editor.post(ROOT, body(category, keywords=["place"]))
    assert made.status_code == 201
    assert (made.json()["slug"], made.json()["phrasings"], made.json()["status"]) == (
        "where",
        ["In which place?"],
        "draft",
    )
    path = f"{ROOT}/{made.json()['id']}"
    changed = editor.patch(
        path, {"answer": "There.", "phrasings": ["Which place?", "Which place?"], "status": "published"}
    )
    assert (changed.json()["answer"], changed.json()["phrasings"]) == ("There.", ["Which place?"])
    assert APIClient().get(path).status_code == 404
    FAQ.objects.filter(pk=made.json()["id"]).update(status="published", published_at=timezone.now())
    assert APIClient().get(path).json()["answer"] == "There."


def test_what_is_written_on_a_published_faq_is_its_next_version(editor: APIClient, faq: FAQ) -> None:
    path = f"{ROOT}/{faq.pk}"
    assert editor.patch(path, {"answer": "Three days."}).json()["stage"] == "draft"
    assert editor.get(path).json()["answer"] == "Three days."
    assert (APIClient().get(path).json()["answer"], APIClient().get(path).json()["stage"]) == ("Two days.", "published")
    assert editor.post(f"{path}/steps", {"step": "submit"}).status_code == 202
    assert editor.get(path).json()["stage"] == "review"
    impossible = editor.post(f"{path}/steps", {"step": "submit"})
    assert (impossible.status_code, impossible.json()["code"]) == (409, "not_allowed")
    still = editor.delete(path)
    assert (still.status_code, still.json()["code"]) == (409, "still_published")


def test_readers_and_votes_do_not_stand_in_an_editors_way(editor: APIClient, faq: FAQ) -> None:
    path = f"{ROOT}/{faq.pk}"
    seen = editor.get(path)["ETag"]
    services.count_view(faq_id=faq.pk)
    client_of("user").post(f"{path}/vote", {"helpful": True})
    assert editor.get(path, HTTP_IF_NONE_MATCH=seen).status_code == 304
    assert editor.get(path).json()["view_count"] == 1
    assert editor.patch(path, {"answer": "Three days."}, HTTP_IF_MATCH=seen).status_code == 200
    late = editor.patch(path, {"answer": "Four days."}, HTTP_IF_MATCH=seen)
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("conditional", "status"), [(True, 412), (False, 200)])
def test_who_waits_for_another_editor_starts_from_what_that_one_wrote(
    editor: APIClient, faq: FAQ, conditional: bool, status: int
) -> None:
    path, by = f"{ROOT}/{faq.pk}", User.objects.get()
    editor.patch(path, {"answer": "Three days."})
    condition: dict[str, Any] = {"HTTP_IF_MATCH": editor.get(path)["ETag"]} if conditional else {}

    def patch() -> int:
        try:
            return int(editor.patch(path, {"meta_title": "Delivery"}, **condition).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as elsewhere:
        with transaction.atomic():
            working = FAQ.objects.get().working
            curation.save(faq_id=faq.pk, content=replace(working, answer="Four days."), base=working.digest, by=by)
            answer = elsewhere.submit(patch)
            until(somebody_waits, "the other editor to wait for the row")
        assert answer.result(30) == status
    working = FAQ.objects.get().working
    assert (working.answer, working.meta_title) == ("Four days.", "" if conditional else "Delivery")


def test_a_text_that_changed_under_the_writer_is_not_overwritten(
    editor: APIClient, faq: FAQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(**values: Any) -> FAQ:
        raise curation.Conflict(faq)

    monkeypatch.setattr(curation, "save", save)
    late = editor.patch(f"{ROOT}/{faq.pk}", {"answer": "Three days."})
    assert (late.status_code, late.json()["code"]) == (412, "changed_meanwhile")


def test_archived_texts_are_locked_and_drafts_can_go(editor: APIClient, draft: FAQ) -> None:
    path = f"{ROOT}/{draft.pk}"
    FAQ.objects.update(status="archived")
    locked = editor.patch(path, {"answer": "Six."})
    assert (locked.status_code, locked.json()["code"]) == (409, "not_allowed")
    assert editor.delete(path).status_code == 204
    assert not FAQ.objects.exists()


def test_steps_are_for_those_who_see_the_faq(draft: FAQ) -> None:
    path = f"{ROOT}/{draft.pk}/steps"
    assert client_of("user").post(path, {"step": "submit"}).status_code == 404
    assert APIClient().post(path, {"step": "submit"}).status_code == 401


def test_votes_count_once_a_person_and_can_be_changed(faq: FAQ, draft: FAQ) -> None:
    client = client_of("user")
    for helpful in (True, True, False):
        assert client.post(f"{ROOT}/{faq.pk}/vote", {"helpful": helpful}).status_code == 204
    faq.refresh_from_db()
    assert (faq.helpful_count, faq.not_helpful_count) == (0, 1)
    assert client.post(f"{ROOT}/{draft.pk}/vote", {"helpful": True}).status_code == 404
    assert APIClient().post(f"{ROOT}/{faq.pk}/vote", {"helpful": True}).status_code == 401


def test_a_slug_that_is_taken_is_named(editor: APIClient, faq: FAQ, draft: FAQ) -> None:
    taken = editor.patch(f"{ROOT}/{draft.pk}", {"slug": faq.slug})
    assert (taken.status_code, list(taken.json()["fields"])) == (422, ["slug"])


def test_drafts_are_for_curators_alone(faq: FAQ, draft: FAQ, editor: APIClient, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(2):
        public = APIClient().get(ROOT).json()["results"]
    assert [row["id"] for row in public] == [faq.pk]
    assert {row["id"] for row in editor.get(ROOT).json()["results"]} == {faq.pk, draft.pk}
    assert [row["id"] for row in editor.get(ROOT, {"status": "draft"}).json()["results"]] == [draft.pk]
    assert APIClient().get(f"{ROOT}/{draft.pk}").status_code == 404
    assert editor.get(f"{ROOT}/{draft.pk}").status_code == 200


@pytest.mark.parametrize("ordering", ["-priority", "view_count"])
def test_pages_end_and_hold_every_row_once_however_many_share_a_value(category: Category, ordering: str) -> None:
    many = range(1300)
    values = {"category": category, "question": "How?", "status": "published", "published_at": timezone.now()}
    FAQ.objects.bulk_create(FAQ(slug=f"how-{number}", **values) for number in many)
    following: str | None = f"{ROOT}?limit=200&ordering={ordering}"
    found: list[int] = []
    while following and len(found) <= len(many):
        page = APIClient().get(following).json()
        found += [row["id"] for row in page["results"]]
        following = page["next"]
    assert following is None
    assert sorted(found) == sorted(FAQ.objects.values_list("pk", flat=True))


@pytest.mark.parametrize(
    ("ordering", "position"),
    [
        ("priority", "When?"),
        ("priority", "1e999"),
        ("updated_at", "When?"),
        ("updated_at", "2026-02-30"),
        ("question", "\0"),
    ],
)
def test_a_cursor_that_does_not_fit_the_ordering_is_refused(db: None, ordering: str, position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()
    response = APIClient().get(ROOT, {"ordering": ordering, "cursor": cursor})
    assert (response.status_code, list(response.json()["fields"])) == (422, ["cursor"])


def test_a_cursor_far_behind_the_end_finds_nothing(faq: FAQ) -> None:
    cursor = b64encode(b"o=" + b"9" * 30).decode()
    assert APIClient().get(ROOT, {"cursor": cursor}).json()["results"] == []


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


@pytest.mark.parametrize(("number", "status"), [("1e999", 400), ("-1e999", 400), ("7.5", 400), ("7.0", 200)])
def test_numbers_are_whole_and_finite(editor: APIClient, draft: FAQ, number: str, status: int) -> None:
    text = f'{{"priority": {number}}}'
    response = editor.generic("PATCH", f"{ROOT}/{draft.pk}", text, content_type="application/json")
    assert response.status_code == status
    assert list(response.json().get("fields", {})) == ["priority"] * (status == 400)


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
    FAQ.objects.all().delete()
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


@pytest.mark.parametrize("query", [{}, {"q": "x" * 501}, {"q": "x" + " " * 500}, {"q": "x", "language": "xx"}])
def test_searches_that_mean_nothing_are_refused(db: None, query: dict[str, str]) -> None:
    assert APIClient().get(f"{ROOT}/search", query).json()["code"] == "invalid"
