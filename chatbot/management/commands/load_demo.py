"""`manage.py load_demo`: the content of a believable shop and people to log in as; does nothing where FAQs exist."""

import json
from typing import Any

from allauth.account.models import EmailAddress
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from accounts.roles import sync_role
from chatbot.demo import DEMO_FILE, DEMO_LOGINS, GOLDEN_FILE
from faqs import history, services
from faqs.models import FAQ, Category, GoldenQuestion, Phrasing


class Command(BaseCommand):
    help = "Load demo FAQs and logins, once."

    def handle(self, *args: Any, **options: Any) -> None:
        if FAQ.objects.exists():
            self.stdout.write("There is content already; nothing was loaded.")
            return
        with transaction.atomic():
            count = load_faqs(json.loads(DEMO_FILE.read_text(encoding="utf-8")))
            load_golden(json.loads(GOLDEN_FILE.read_text(encoding="utf-8")))
            load_logins()
        self.stdout.write(f"Loaded {count} demo FAQs and {len(DEMO_LOGINS)} logins.")


def load_faqs(content: dict[str, Any]) -> int:
    categories = {row["slug"]: Category.objects.create(**row) for row in content["categories"]}
    now = timezone.now()
    for row in content["faqs"]:
        phrasings = row.pop("phrasings")
        values = row | {"category": categories[row["category"]], "status": FAQ.Status.PUBLISHED, "published_at": now}
        faq = FAQ(**values)
        history.save(faq, by=None, keep=False)
        Phrasing.objects.bulk_create(Phrasing(faq=faq, text=text) for text in phrasings)
        history.keep_version(faq)
        services.announce(faq.pk)
    return len(content["faqs"])


def load_golden(rows: list[dict[str, Any]]) -> None:
    faqs = {(faq.language, faq.question): faq for faq in FAQ.objects.all()}
    GoldenQuestion.objects.bulk_create(
        GoldenQuestion(
            question=row["question"],
            language=row["language"],
            expected=faqs[row["language"], row["expected"]] if row["expected"] else None,
        )
        for row in rows
    )


def load_logins() -> None:
    for role, email, password in DEMO_LOGINS:
        if not User.objects.filter(email=email).exists():
            user = User.objects.create_user(email, password, role=role)
            sync_role(user)
            EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
