"""Curation in the admin: the buttons that are shown are the steps that are allowed, and nothing that is written is lost."""

from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from faqs import curation, history, publishing
from faqs.models import FAQ, Category, Draft, GoldenQuestion, LinkCheck, PublishRun
from faqs.tests.curating import again, draft, edit, person, published, signed_in, step

pytestmark = pytest.mark.django_db


def address(faq: FAQ, page: str = "change/") -> str:
    return f"/admin/faqs/faq/{faq.pk}/{page}"


def form(faq: FAQ, **values: Any) -> dict[str, Any]:
    written = faq.working
    fields = {
        "base": written.digest,
        "question": written.question,
        "answer": written.answer,
        "phrasings": "\n".join(written.phrasings),
        "category": faq.category_id,
        "language": faq.language,
        "priority": written.priority,
        "keywords": ", ".join(written.keywords),
        "slug": faq.slug,
    }
    return fields | values


def post(client: Client, path: str, values: dict[str, Any]) -> str:
    response = client.post(path, values, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def buttons(client: Client, faq: FAQ) -> list[str]:
    page = client.get(address(faq)).content.decode()
    return [part.split('"')[0] for part in page.split('name="_step" value="')[1:]]


def test_a_new_faq_is_a_draft() -> None:
    category = Category.objects.create(name="Delivery", slug="delivery")
    values = {"question": "When?", "answer": "Soon.", "category": category.pk, "language": "en", "priority": 50}
    page = post(
        signed_in("editor"),
        "/admin/faqs/faq/add/",
        values | {"phrasings": "At what time?\n\n At what time? \nHow soon?"},
    )
    faq = FAQ.objects.get()
    assert "Saved." in page
    assert (faq.status, faq.slug, faq.working.phrasings) == ("draft", "when", ("At what time?", "How soon?"))


def test_an_empty_slug_is_made_so_that_no_other_has_it() -> None:
    first = draft(question="When?")
    client = signed_in("editor")
    assert "Saved." in post(client, "/admin/faqs/faq/add/", form(first, base="", question="When!", slug=""))
    second = FAQ.objects.exclude(pk=first.pk).get()
    assert (first.slug, second.slug) == ("when", "when-2")
    assert "Saved." in post(client, address(first), form(first, slug="", answer="Soon."))
    assert again(first).slug == "when"
    FAQ.objects.filter(pk=second.pk).update(slug="when", language="de")
    assert "has this slug" in post(client, address(first), form(again(first), slug="", language="de"))


def test_saving_a_published_faq_makes_its_next_version() -> None:
    faq = published()
    editor = signed_in("editor")
    page = post(editor, address(faq), form(faq, answer="In **one** day.", keywords=" van, DHL ,"))
    assert "Visitors read the published version" in page
    assert "In <strong>one</strong> day." in page
    row = again(faq)
    assert (row.answer, row.working.answer, row.working.keywords) == (
        "In **two** days.",
        "In **one** day.",
        ("van", "DHL"),
    )
    assert "<del>two</del>" in editor.get(address(faq, "compare/")).content.decode()


def test_line_ends_of_browsers_change_nothing() -> None:
    faq = published(answer="One.\n\nTwo.")
    post(signed_in("editor"), address(faq), form(faq, answer="One.\r\n\r\nTwo."))
    assert not Draft.objects.exists()


def test_a_published_faq_is_saved_and_submitted_at_once() -> None:
    faq = published()
    editor = signed_in("editor")
    assert buttons(editor, faq) == ["submit", "check"]
    assert "nothing to submit" in post(editor, address(faq), form(faq, _step="submit"))
    post(editor, address(faq), form(faq, answer="Next", _step="submit"))
    assert again(faq).stage == "review"


def test_the_buttons_are_the_steps_that_are_allowed() -> None:
    faq = draft()
    editor, reviewer = signed_in("editor"), signed_in("reviewer")
    assert buttons(editor, faq) == ["submit", "check", "archive"]
    page = post(editor, address(faq), form(faq, answer="Better.", _step="submit", comment="please look"))
    assert "Submit for review" in page
    assert (again(faq).answer, again(faq).stage) == ("Better.", "review")
    assert buttons(editor, faq) == ["return", "check", "archive"]
    assert "only reviewers can change it" in editor.get(address(faq)).content.decode()
    assert buttons(reviewer, faq) == ["publish", "return", "check", "archive"]
    assert buttons(signed_in("analyst"), faq) == []
    assert "please look" in reviewer.get(address(faq, "history/")).content.decode()


def test_a_locked_page_still_takes_steps_and_no_text() -> None:
    faq = draft()
    step(faq, "submit")
    editor = signed_in("editor")
    post(editor, address(faq), form(faq, answer="Sneaked in"))
    assert again(faq).answer == "In **two** days."
    post(editor, address(faq), {"_step": "return"})
    assert again(faq).stage == "draft"


def test_publishing_leads_to_the_page_of_its_run() -> None:
    faq = draft()
    step(faq, "submit")
    reviewer = signed_in("reviewer")
    page = post(reviewer, address(faq), form(faq, _step="publish"))
    run = PublishRun.objects.get()
    assert f'data-progress="/admin/faqs/publishrun/{run.pk}/progress/"' in page
    assert reviewer.get(f"/admin/faqs/publishrun/{run.pk}/progress/").json()["open"] is True
    assert "Wait for it, or cancel" in reviewer.get(address(faq)).content.decode()
    assert "Cancelled" in post(reviewer, f"/admin/faqs/publishrun/{run.pk}/cancel/", {})
    assert "too late" in post(reviewer, f"/admin/faqs/publishrun/{run.pk}/cancel/", {})


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"due_at": "2020-01-01T10:00"}, "Choose a time to come"),
        ({"due_at": "soon"}, "Enter a valid date/time"),
        ({"_step": "unpublish"}, "not possible"),
        ({"_step": "nonsense"}, "valid choice"),
    ],
)
def test_a_bad_step_is_explained_and_the_text_is_saved(values: dict[str, str], told: str) -> None:
    faq = draft()
    step(faq, "submit")
    page = post(signed_in("reviewer"), address(faq), form(faq, answer="Kept") | {"_step": "publish"} | values)
    assert told in page
    assert not PublishRun.objects.exists()
    assert again(faq).answer == "Kept"


def test_a_planned_publication_waits_and_is_named() -> None:
    faq = draft()
    step(faq, "submit")
    reviewer = signed_in("reviewer")
    post(reviewer, address(faq), form(faq, _step="publish", due_at="2099-01-01T10:00"))
    assert publishing.due() == []
    assert "planned for 1 Jan 2099, 10:00" in reviewer.get(address(faq)).content.decode()


def test_a_newer_save_is_shown_beside_and_nothing_is_lost() -> None:
    faq = published()
    mine = form(faq, answer="My text")
    edit(faq, by="reviewer", answer="Their text")
    editor = signed_in("editor")
    page = post(editor, address(faq), mine)
    assert "Somebody else saved this FAQ" in page
    assert "<del>Their</del>" in page
    assert "My text</textarea>" in page
    assert again(faq).working.answer == "Their text"
    base = page.split('name="base" value="')[1].split('"')[0]
    post(editor, address(faq), mine | {"base": base})
    assert again(faq).working.answer == "My text"


def test_a_save_between_the_check_and_the_write_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    faq = published()

    def conflict(**values: Any) -> None:
        raise curation.Conflict(faq)

    monkeypatch.setattr(curation, "save", conflict)
    assert "Somebody else saved this FAQ" in post(signed_in("editor"), address(faq), form(faq, answer="Mine"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"question": ""}, "This field is required"),
        ({"phrasings": "x" * 301}, "has 301 characters"),
        ({"keywords": "van, " + "x" * 101}, "has 101 characters"),
        ({"priority": 101}, "violated"),
        ({"language": "xx"}, "valid choice"),
    ],
)
def test_bad_input_is_explained_and_kept(values: dict[str, Any], told: str) -> None:
    faq = draft()
    page = post(signed_in("editor"), address(faq), form(faq, answer="What I wrote") | values)
    assert told in page
    assert "What I wrote" in page
    assert again(faq).answer == "In **two** days."


def test_an_earlier_version_comes_back_through_the_gate() -> None:
    faq = published()
    old = history.versions(faq)[0]
    edit(faq, answer="In one day.")
    step(faq, "submit")
    publishing.go_live(step(faq, "publish", by="reviewer"))
    PublishRun.objects.all().delete()
    reviewer = signed_in("reviewer")
    assert "Publish again" in reviewer.get(address(faq, "history/")).content.decode()
    assert (
        "Publish this earlier version"
        in reviewer.get(address(faq, f"compare/?version={old.history_id}")).content.decode()
    )
    assert "Publish again" not in signed_in("editor").get(address(faq, "history/")).content.decode()
    post(reviewer, address(faq, "roll-back/"), {"version": old.history_id})
    assert PublishRun.objects.get().content.answer == "In **two** days."
    for version in ("", "x", "9" * 30):
        assert "no such version" in post(reviewer, address(faq, "roll-back/"), {"version": version})


def test_a_blocked_run_shows_what_changes_and_takes_an_override() -> None:
    faq = draft()
    step(faq, "submit")
    run = step(faq, "publish", by="reviewer")
    answer = {"decision": "answer", "faq_id": 1, "question": "Another FAQ", "quality": 0}
    change = {
        "question": "how long?",
        "language": "en",
        "expected": "X",
        "kind": "regressed",
        "before": answer,
        "after": answer,
    }
    publishing.end(run, "blocked", changes=[change], questions=7)
    path = f"/admin/faqs/publishrun/{run.pk}/"
    assert "ask an administrator" in signed_in("reviewer").get(path + "change/").content.decode()
    assert "only" not in post(signed_in("reviewer"), path + "override/", {"reason": "Because"})
    assert again(faq).stage == "review"
    admin = signed_in("admin")
    page = admin.get(path + "change/").content.decode()
    assert "Another FAQ" in page
    assert "7 golden questions" in page
    assert "Say why" in post(admin, path + "override/", {"reason": ""})
    assert "Because" in post(admin, path + "override/", {"reason": "Because"})
    run.refresh_from_db()
    assert (run.status, run.overridden_by) == ("queued", person("admin"))


def test_published_faqs_are_not_deleted() -> None:
    admin = signed_in("admin")
    live, unused = published(), draft(question="Other?")
    assert admin.post(address(live, "delete/"), {"post": "yes"}).status_code == 403
    admin.post("/admin/faqs/faq/", {"action": "delete_selected", "_selected_action": [live.pk], "post": "yes"})
    admin.post(address(unused, "delete/"), {"post": "yes"})
    assert list(FAQ.objects.all()) == [live]


def test_steps_for_many_name_those_that_cannot() -> None:
    rows = [draft(question="First?"), draft(question="Second?"), published(question="Live?")]
    chosen = [row.pk for row in rows]
    page = post(signed_in("editor"), "/admin/faqs/faq/", {"action": "submit", "_selected_action": chosen})
    assert "Submit for review: 2 FAQs." in page
    assert "Live?" in page
    post(signed_in("editor"), "/admin/faqs/faq/", {"action": "publish", "_selected_action": chosen})
    assert not PublishRun.objects.exists()
    post(signed_in("reviewer"), "/admin/faqs/faq/", {"action": "publish", "_selected_action": chosen})
    assert PublishRun.objects.count() == 2
    post(signed_in("reviewer"), "/admin/faqs/faq/", {"action": "unpublish", "_selected_action": chosen})
    assert PublishRun.objects.filter(action="archive").count() == 1


@pytest.mark.parametrize("rows", [1, 9])
def test_lists_and_pages_take_a_fixed_number_of_queries(
    rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    admin = signed_in("admin")
    for number in range(rows):
        faq = published(question=f"Question {number}?")
        edit(faq, answer="Next")
        GoldenQuestion.objects.create(question=f"golden {number}", expected=faq)
        step(faq, "check")
        LinkCheck.objects.create(faq=faq, address=f"/{number}", status="broken", checked_at=faq.updated_at)
    counts = {
        "/admin/faqs/faq/": 6,
        "/admin/faqs/goldenquestion/": 5,
        "/admin/faqs/publishrun/": 5,
        "/admin/faqs/linkcheck/": 5,
        address(faq): 14,
        address(faq, "history/"): 5,
        address(faq, "compare/"): 6,
        f"/admin/faqs/publishrun/{PublishRun.objects.latest('pk').pk}/change/": 3,
    }
    found = {}
    for path in counts:
        # What Django looks up once in a process.
        admin.get(path)
    for path in counts:
        with django_assert_num_queries(counts[path], info=path):
            found[path] = admin.get(path).status_code
    assert set(found.values()) == {200}


@pytest.mark.parametrize("page", ["history/", "compare/"])
def test_pages_of_no_faq_are_not_found(page: str) -> None:
    assert signed_in("editor").get(f"/admin/faqs/faq/0/{page}").status_code == 404
    assert signed_in("editor").get(f"/admin/faqs/faq/{'9' * 30}/{page}").status_code == 404
    assert signed_in("editor").get("/admin/faqs/publishrun/0/progress/").status_code == 404
    assert signed_in("editor").post("/admin/faqs/publishrun/0/override/").status_code == 404


def test_who_reaches_the_pages() -> None:
    faq = draft()
    run = step(faq, "check")
    pages = [address(faq, "history/"), address(faq, "compare/"), f"/admin/faqs/publishrun/{run.pk}/progress/"]
    visitor, user, agent = Client(), signed_in("user"), signed_in("agent")
    assert [visitor.get(page).status_code for page in pages] == [302, 302, 302]
    assert [user.get(page).status_code for page in pages] == [302, 302, 302]
    assert [agent.get(page).status_code for page in pages] == [200, 200, 403]
    assert agent.post(f"/admin/faqs/publishrun/{run.pk}/cancel/").status_code == 403
    assert agent.post(address(faq), form(faq, answer="x")).status_code == 403
    assert agent.post(address(faq, "roll-back/"), {"version": 1}, follow=True).status_code == 200
    assert not Draft.objects.exists()
