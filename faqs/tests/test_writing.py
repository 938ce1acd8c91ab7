"""What the page does while an editor writes: it saves by itself, warns of duplicates, and knows the other languages."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from faqs import selectors
from faqs.models import FAQ
from faqs.tests.curating import again, draft, edit, published, signed_in, step
from faqs.tests.test_curation_admin import address, form, post

pytestmark = pytest.mark.django_db


def autosave(faq: FAQ, values: dict[str, Any], role: str = "editor") -> Any:
    return signed_in(role).post(address(faq, "autosave/"), values)


def test_autosave_writes_the_draft_and_no_history() -> None:
    faq = draft()
    versions = FAQ.history.count()
    first = autosave(faq, form(faq, answer="Half a sen"))
    assert first.status_code == 200
    second = autosave(faq, form(faq, answer="Half a sentence") | {"base": first.json()["base"]})
    assert second.status_code == 200
    assert again(faq).answer == "Half a sentence"
    assert FAQ.history.count() == versions


def test_autosave_of_a_published_faq_is_its_next_version() -> None:
    faq = published()
    assert autosave(faq, form(faq, answer="Next")).status_code == 200
    assert (again(faq).answer, again(faq).working.answer) == ("In **two** days.", "Next")


def test_autosave_never_overwrites_a_newer_text() -> None:
    faq = draft()
    mine = form(faq, answer="Mine")
    edit(faq, by="reviewer", answer="Theirs")
    refused = autosave(faq, mine)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert again(faq).answer == "Theirs"


def test_autosave_explains_what_is_wrong() -> None:
    faq = draft()
    refused = autosave(faq, form(faq, question=""))
    assert refused.status_code == 400
    assert refused.json() == {"code": "invalid", "field": "question", "message": "This field is required."}
    step(faq, "submit")
    locked = autosave(faq, form(faq, answer="Sneaked in"))
    assert (locked.status_code, locked.json()["code"]) == (409, "locked")


def test_who_may_autosave() -> None:
    faq = draft()
    assert autosave(faq, form(faq), "agent").status_code == 403
    assert autosave(faq, form(faq), "user").status_code == 302
    assert Client().post(address(faq, "autosave/")).status_code == 302
    assert signed_in("editor").post("/admin/faqs/faq/0/autosave/").status_code == 404
    assert signed_in("editor").get(address(faq, "autosave/")).status_code == 405


def test_similar_faqs_are_named_with_their_similarity(settings: Any) -> None:
    settings.RETRIEVAL_PREVIEW = "faqs.tests.test_writing.two_found"
    editor = signed_in("editor")
    found = editor.get("/admin/faqs/faq/similar/", {"question": "When?", "language": "en", "faq": "7"}).json()
    assert found == {"similar": [{"question": "How soon?", "url": "/admin/faqs/faq/8/change/", "percent": 91}]}
    assert editor.get("/admin/faqs/faq/similar/", {"question": "", "language": "en"}).status_code == 400
    assert signed_in("user").get("/admin/faqs/faq/similar/").status_code == 302
    assert Client().get("/admin/faqs/faq/similar/").status_code == 302


def two_found(question: str, language: str) -> tuple[str, list[selectors.Passage]]:
    own = selectors.Passage(7, "own", language, question, "", 1.0, "question")
    return "answer", [own, selectors.Passage(8, "other", language, "How soon?", "", 0.911, "question")]


def test_language_versions_are_linked_and_judged() -> None:
    original, german = published(), published(question="Wann?")
    FAQ.objects.filter(pk=german.pk).update(slug=original.slug, language="de")
    states = {one.code: (one.faq, one.is_original, one.is_behind) for one in selectors.language_versions(again(german))}
    assert states == {
        "en": (original, True, False), "de": (german, False, False), "es": (None, False, False), "fr": (None, False, False)
    }  # fmt: skip
    FAQ.objects.filter(pk=original.pk).update(updated_at=timezone.now() + timedelta(seconds=1))
    editor = signed_in("editor")
    page = editor.get(address(german)).content.decode()
    assert "older than its original" in page
    assert f'href="{address(original)}"' in page
    assert f'href="/admin/faqs/faq/add/?original={german.pk}&amp;language=fr"' in page
    listed = editor.get("/admin/faqs/faq/?versions=behind").content.decode()
    assert ("Wann?" in listed, "When will it arrive?" in listed) == (True, False)
    assert "Wann?" in editor.get("/admin/faqs/faq/?versions=lacking").content.decode()
    FAQ.objects.filter(pk=original.pk).update(updated_at=timezone.now())
    post(editor, address(german, "in-step/"), {})
    assert not selectors.language_versions(again(german))[2].is_behind
    assert "Wann?" not in editor.get("/admin/faqs/faq/?versions=behind").content.decode()
    assert signed_in("agent").post(address(german, "in-step/")).status_code == 403


def test_a_new_language_version_starts_from_the_original() -> None:
    original = published()
    page = signed_in("editor").get(f"/admin/faqs/faq/add/?original={original.pk}&language=fr").content.decode()
    assert f'value="{original.slug}"' in page
    assert "In **two** days." in page
    assert '<option value="fr" selected>' in page
    assert "In **two** days." not in signed_in("editor").get("/admin/faqs/faq/add/?original=x").content.decode()
