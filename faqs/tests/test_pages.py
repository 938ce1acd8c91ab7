"""The help pages and the admin's FAQ pages."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.roles import sync_role
from faqs.models import FAQ, Category


@pytest.fixture
def article(db: None) -> FAQ:
    category = Category.objects.create(name="Delivery", slug="delivery")
    FAQ.objects.create(
        category=category, question="Wann?", answer="Bald.", language="de", slug="when", status="published"
    )
    FAQ.objects.create(category=category, question="Secret?", answer="No.", status="draft")
    return FAQ.objects.create(category=category, question="When?", answer="**Soon**.", slug="when", status="published")


@pytest.fixture
def editor(db: None) -> Client:
    user = User.objects.create_user("ed@example.com", "correct horse battery", role="editor")
    sync_role(user)
    client = Client()
    client.force_login(user)
    return client


def test_index_lists_published_faqs(
    client: Client, article: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        page = client.get("/help/").content.decode()
    assert "When?" in page
    assert "Secret?" not in page


def test_article_renders_and_counts_views(
    client: Client, article: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(3):
        page = client.get("/help/when").content.decode()
    assert "<strong>Soon</strong>" in page
    article.refresh_from_db()
    assert article.view_count == 1


def test_language_versions_share_an_address(client: Client, article: FAQ) -> None:
    assert "Bald." in client.get("/help/when?lang=de").content.decode()
    assert "Soon" in client.get("/help/when?lang=fr").content.decode()
    assert "Soon" in client.get("/help/when?lang=nonsense").content.decode()


@pytest.mark.parametrize("slug", ["secret", "nothing"])
def test_drafts_and_unknown_pages_are_not_found(client: Client, article: FAQ, slug: str) -> None:
    assert client.get(f"/help/{slug}").status_code == 404


def test_editors_list_change_and_publish(
    editor: Client, article: FAQ, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        assert "Secret?" in editor.get("/admin/faqs/faq/").content.decode()
    assert "<strong>Soon</strong>" in editor.get(f"/admin/faqs/faq/{article.pk}/change/").content.decode()
    ids = list(FAQ.objects.filter(language="en").values_list("pk", flat=True))
    answer = editor.post("/admin/faqs/faq/", {"action": "publish", "_selected_action": ids}, follow=True)
    assert "1 changed" in answer.content.decode()
    editor.post("/admin/faqs/faq/", {"action": "archive", "_selected_action": ids})
    assert FAQ.objects.filter(status="archived").count() == 2
    editor.post("/admin/faqs/faq/", {"action": "submit", "_selected_action": ids[:1]})
    assert FAQ.objects.filter(status="review").count() == 1


def test_keywords_are_edited_as_words(editor: Client, article: FAQ) -> None:
    form = {
        "question": "When?",
        "answer": "Later.",
        "category": article.category_id,
        "language": "en",
        "status": "published",
        "priority": 50,
        "keywords": " time, date ,",
        "slug": "when",
        "phrasings-TOTAL_FORMS": 1,
        "phrasings-INITIAL_FORMS": 0,
        "phrasings-0-text": "At what time?",
    }
    response = editor.post(f"/admin/faqs/faq/{article.pk}/change/", form)
    assert response.status_code == 302, response.content.decode()
    article.refresh_from_db()
    assert article.keywords == ["time", "date"]
    assert article.phrasings.get().text == "At what time?"


@pytest.mark.parametrize("path", ["/admin/faqs/faq/", "/admin/faqs/faq/ask/"])
def test_plain_users_have_no_admin(client: Client, db: None, path: str) -> None:
    client.force_login(User.objects.create_user("u@example.com", "correct horse battery"))
    assert client.get(path).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_editors_see_what_would_be_found(article: FAQ) -> None:
    user = User.objects.create_user("ed@example.com", "correct horse battery", role="admin")
    sync_role(user)
    client = Client()
    client.force_login(user)
    assert "Ask the assistant" in client.get("/admin/faqs/faq/ask/").content.decode()
    page = client.get("/admin/faqs/faq/ask/", {"question": "When?", "language": "en"}).content.decode()
    assert "decline" in page
