"""People and FAQs of the curation tests."""

from dataclasses import replace
from typing import Any

from django.test import Client

from accounts.models import User
from accounts.roles import sync_role
from faqs import curation
from faqs.content import Content
from faqs.models import FAQ, Category, StatusEvent


def person(role: str) -> User:
    email = f"{role}@example.com"
    if not User.objects.filter(email=email).exists():
        sync_role(User.objects.create_user(email, role=role))
    return User.objects.get(email=email)


def signed_in(role: str) -> Client:
    client = Client()
    client.force_login(person(role))
    return client


def content(**values: Any) -> Content:
    category = Category.objects.get_or_create(name="Delivery", slug="delivery")[0]
    return replace(Content("When will it arrive?", "In **two** days.", category.pk, ("How long?",)), **values)


def draft(**values: Any) -> FAQ:
    return curation.create(faq=FAQ(language="en"), content=content(**values), by=person("editor"))


def published(**values: Any) -> FAQ:
    """As a knowledge base holds it that was published before this curation."""
    faq = draft(**values)
    faq.status = FAQ.Status.PUBLISHED
    faq.save()
    StatusEvent.objects.all().delete()
    return FAQ.objects.get(pk=faq.pk)


def edit(faq: FAQ, by: str = "editor", **values: Any) -> FAQ:
    faq = FAQ.objects.get(pk=faq.pk)
    changed = replace(faq.working, **values)
    return curation.save(faq_id=faq.pk, content=changed, base=faq.working.digest, by=person(by))


def step(faq: FAQ, name: str, by: str = "editor", **values: Any) -> Any:
    return curation.take_step(faq_id=faq.pk, step=name, by=person(by), **values)


def again(faq: FAQ) -> FAQ:
    return FAQ.objects.get(pk=faq.pk)


def trail(faq: FAQ) -> list[tuple[str, str]]:
    return [(event.from_status, event.to_status) for event in faq.status_events.order_by("pk")]
