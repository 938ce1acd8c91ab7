"""Two contents side by side, with the words that differ."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.utils.translation import gettext as _

from .content import Content
from .models import Category


@dataclass(frozen=True)
class Span:
    text: str
    differs: bool


@dataclass(frozen=True)
class Row:
    label: str
    old: list[Span]
    new: list[Span]

    @property
    def differs(self) -> bool:
        return any(span.differs for span in (*self.old, *self.new))


def compare(old: Content, new: Content) -> list[Row]:
    """What editors write, field by field."""
    names = dict(Category.objects.filter(pk__in={old.category_id, new.category_id}).values_list("pk", "name"))
    before, after = _texts(old, names), _texts(new, names)
    return [_row(label, before[label], after[label]) for label in before if before[label] or after[label]]


def _texts(content: Content, categories: dict[int, str]) -> dict[str, str]:
    return {
        _("Question"): content.question,
        _("Answer"): content.answer,
        _("Other ways to ask it"): "\n".join(content.phrasings),
        _("Category"): categories.get(content.category_id, ""),
        _("Keywords"): ", ".join(content.keywords),
        _("Priority"): str(content.priority),
        _("Meta title"): content.meta_title,
        _("Meta description"): content.meta_description,
    }


def _row(label: str, old: str, new: str) -> Row:
    left, right = _words(old), _words(new)
    steps = SequenceMatcher(a=left, b=right, autojunk=False).get_opcodes()
    return Row(
        label,
        _spans((left[start:end], tag != "equal") for tag, start, end, _from, _to in steps),
        _spans((right[start:end], tag != "equal") for tag, _from, _to, start, end in steps),
    )


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\w+|[^\w\s]", text)


def _spans(pieces: Iterable[tuple[list[str], bool]]) -> list[Span]:
    return [Span("".join(words), differs) for words, differs in pieces if words]
