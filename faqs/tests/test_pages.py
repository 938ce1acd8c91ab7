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
