"""The public help centre: what it shows, what it tells search engines, and votes that stay right."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.services import GUEST_KEY
from accounts.signals import guest_claimed
from faqs import services as knowledge
from faqs.help import services
from faqs.models import FAQ, Category, Vote


@pytest.fixture
def article(db: None) -> FAQ:
    category = Category.objects.create(name="Delivery", slug="delivery", description="Parcels and more")
    values = {"category": category, "status": "published"}
    FAQ.objects.create(**values, question="Wann?", answer="Bald.", language="de", slug="when")
    FAQ.objects.create(category=category, question="Secret?", answer="No.", status="draft")
    return FAQ.objects.create(**values, question="When?", answer="**Soon** & safe.", slug="when")


def person(name: str) -> User:
    return User.objects.create(email=f"{name}@example.com")


def counts(faq: FAQ) -> tuple[int, int]:
    faq.refresh_from_db()
    return faq.helpful_count, faq.not_helpful_count


def test_a_category_lists_its_published_faqs(
    client: Client, article: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        FAQ.objects.create(category=article.category, question=f"Q{number}?", answer="A", status="published")
    FAQ.objects.filter(pk=article.pk).update(priority=99)
    with django_assert_num_queries(3):
        page = client.get("/help/category/delivery").content.decode()
    assert (page.count('lang="en">Q') + page.count('lang="en">When'), "?page=2" in page) == (50, True)
    assert "When?" not in client.get("/help/category/delivery?page=2").content.decode()
    with django_assert_num_queries(1):
        index = client.get("/help/").content.decode()
    assert ("All 61 questions" in index, index.count("<li><a")) == (True, 8)
    assert ("When?" in page, "Secret?" in page, "Wann?" in page, "Parcels and more" in page) == (
        True,
        False,
        False,
        True,
    )
    german = client.get("/help/category/delivery?lang=de").content.decode()
    assert "Wann?" in german
    assert 'rel="canonical" href="http://testserver/help/category/delivery?lang=de"' in german
    assert "When?" in client.get("/help/category/delivery?lang=fr").content.decode()
    assert client.get("/help/category/nothing").status_code == 404


def test_an_article_tells_search_engines_what_it_is(client: Client, article: FAQ) -> None:
    page = client.get("/help/when").content.decode()
    assert '<link rel="canonical" href="http://testserver/help/when">' in page
    assert 'hreflang="de" href="http://testserver/help/when?lang=de"' in page
    assert 'hreflang="x-default" href="http://testserver/help/when"' in page
    assert 'name="description" content="Soon &amp; safe."' in page
    german = client.get("/help/when?lang=de").content.decode()
    assert '<link rel="canonical" href="http://testserver/help/when?lang=de">' in german
    FAQ.objects.filter(pk=article.pk).update(meta_title="Delivery times", meta_description="How long it takes.")
    page = client.get("/help/when").content.decode()
    assert "<title>Delivery times" in page
    assert 'content="How long it takes."' in page


def test_markup_cannot_leave_its_script(client: Client, article: FAQ) -> None:
    nasty = '</script><script>alert(1)</script> & \u2028 "quoted"'
    FAQ.objects.filter(pk=article.pk).update(question=nasty, answer=f"{nasty}\n\n**bold**")
    page = client.get("/help/when").content.decode()
    (found,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    assert "alert(1)</script>" not in page
    entity = json.loads(found)["mainEntity"][0]
    assert entity["name"] == nasty
    assert "<strong>bold</strong>" in entity["acceptedAnswer"]["text"]
    assert "<script" not in entity["acceptedAnswer"]["text"]


def test_the_sitemap_names_what_is_published(
    client: Client, article: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    index = client.get("/sitemap.xml").content.decode()
    assert "http://testserver/sitemap-faqs.xml" in index
    with django_assert_num_queries(2):
        page = client.get("/sitemap-faqs.xml").content
    addresses = [element.text for element in ElementTree.fromstring(page).iter() if element.tag.endswith("loc")]  # noqa: S314
    assert addresses == ["http://testserver/help/when?lang=de", "http://testserver/help/when"]
    assert "/help/category/delivery" in client.get("/sitemap-categories.xml").content.decode()
    assert "/help/" in client.get("/sitemap-help.xml").content.decode()
    assert "Sitemap: http://testserver/sitemap.xml" in client.get("/robots.txt").content.decode()


def test_guests_vote_and_change_their_minds_without_a_script(
    client: Client, article: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    address = f"/help/{article.pk}/vote"
    response = client.post(address, {"helpful": "yes"})
    assert response.headers["Location"] == "/help/when#helpful"
    client.post(address, {"helpful": "yes"})
    assert counts(article) == (1, 0)
    with django_assert_num_queries(6):
        page = client.get("/help/when").content.decode()
    assert re.search(r'value="yes" aria-pressed="true"', page)
    client.post(address, {"helpful": "no"})
    assert counts(article) == (0, 1)
    assert Client().post(address, {"helpful": "yes"}).status_code == 302
    assert (counts(article), Vote.objects.count()) == ((1, 1), 2)


def test_votes_that_cannot_be(client: Client, article: FAQ) -> None:
    assert client.post(f"/help/{article.pk}/vote", {"helpful": "maybe"}).status_code == 400
    assert client.get(f"/help/{article.pk}/vote").status_code == 405
    draft = FAQ.objects.get(question="Secret?")
    assert client.post(f"/help/{draft.pk}/vote", {"helpful": "yes"}).status_code == 404
    assert User.objects.count() == 0
    assert Client(enforce_csrf_checks=True).post(f"/help/{article.pk}/vote", {"helpful": "yes"}).status_code == 403


def test_the_database_allows_one_vote_a_person(article: FAQ) -> None:
    user = person("ada")
    services.vote(faq_id=article.pk, user=user, helpful=True)
    with pytest.raises(IntegrityError), transaction.atomic():
        Vote.objects.create(faq=article, user=user, helpful=False)


def test_claiming_a_guest_takes_its_votes_along(article: FAQ) -> None:
    german = FAQ.objects.get(language="de")
    guest, user = User.new_guest(language="en"), person("ada")
    guest.save()
    services.vote(faq_id=article.pk, user=guest, helpful=True)
    services.vote(faq_id=german.pk, user=guest, helpful=True)
    services.vote(faq_id=article.pk, user=user, helpful=False)
    guest_claimed.send(sender=User, guest=guest, user=user)
    guest.delete()
    assert set(Vote.objects.values_list("faq_id", "user_id", "helpful")) == {
        (article.pk, user.pk, False),
        (german.pk, user.pk, True),
    }
    assert (counts(article), counts(german)) == ((0, 1), (1, 0))


@pytest.mark.django_db(transaction=True)
def test_counts_survive_many_at_once() -> None:
    category = Category.objects.create(name="Delivery", slug="delivery")
    faq = FAQ.objects.create(category=category, question="When?", answer="Soon", status="published")
    people = [person(f"p{number}") for number in range(6)]

    def vote_often(user: User) -> None:
        for number in range(9):
            services.vote(faq_id=faq.pk, user=user, helpful=number % 2 == 0)
            knowledge.count_view(faq_id=faq.pk)
        connection.close()

    with ThreadPoolExecutor(12) as threads:
        list(threads.map(vote_often, people * 2))
    last = Vote.objects.filter(faq=faq, helpful=True).count()
    assert counts(faq) == (last, 6 - last)
    assert (faq.view_count, Vote.objects.count()) == (108, 6)


def test_a_vote_makes_a_guest_of_the_session(client: Client, article: FAQ) -> None:
    client.post(f"/help/{article.pk}/vote", {"helpful": "yes"})
    assert client.session[GUEST_KEY] == str(Vote.objects.get().user_id)
