"""Draft FAQs that are made from something else: a gap, a help page."""

from itertools import count

from django.utils.text import slugify

from .models import FAQ, Category


def create_draft(*, category: Category, language: str, question: str, answer: str = "") -> FAQ:
    return FAQ.objects.create(
        category=category,
        language=language,
        question=question[:300],
        answer=answer,
        slug=free_slug(question, language),
    )


def free_slug(question: str, language: str) -> str:
    """The question as a slug that no FAQ of the language has yet."""
    base = slugify(question)[:110] or "faq"
    taken = set(FAQ.objects.filter(language=language, slug__startswith=base).values_list("slug", flat=True))
    return next(slug for number in count(1) if (slug := base if number == 1 else f"{base}-{number}") not in taken)
