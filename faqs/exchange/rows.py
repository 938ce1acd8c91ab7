"""A row of a file: its columns, what is wrong with it, and the fingerprint by which two contents are compared."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django import forms
from django.conf import settings
from django.utils.text import slugify
from django.utils.translation import gettext as _

from ..models import FAQ

COLUMNS = (
    "language",
    "slug",
    "category",
    "question",
    "answer",
    "phrasings",
    "keywords",
    "status",
    "priority",
    "meta_title",
    "meta_description",
)
VERSION = "version"
# An empty cell of these says nothing; of the others, that the field is empty.
_EMPTY_SAYS_NOTHING = {"language", "slug", "category", "status", "priority"}
DEFAULTS: dict[str, Any] = {
    "language": "en",
    "phrasings": [],
    "keywords": [],
    "status": FAQ.Status.DRAFT.value,
    "priority": 50,
    "meta_title": "",
    "meta_description": "",
}
ANSWER_LIMIT = 20_000
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")
Values = dict[str, Any]
Errors = list[dict[str, str]]


def clean(text: str) -> str:
    """Text as it is stored and compared: no control characters, one kind of line end, no space around."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


class TextsField(forms.Field):
    """A list, or its texts in one cell between separators; doubles and empty ones are left out."""

    def __init__(self, separator: str, limit: int) -> None:
        super().__init__(required=False)
        self.separator, self.limit = separator, limit

    def to_python(self, value: Any) -> list[str]:
        parts = value if isinstance(value, list) else [value or ""]
        if not all(isinstance(part, str) for part in parts):
            raise forms.ValidationError(_("Give a list of texts."))
        pieces = (clean(piece) for part in parts for piece in part.split(self.separator))
        return list(dict.fromkeys(filter(None, pieces)))

    def validate(self, value: list[str]) -> None:
        if any(len(text) > self.limit for text in value):
            raise forms.ValidationError(_("One of the texts is longer than %d characters.") % self.limit)


FIELDS: dict[str, forms.Field] = {
    "language": forms.ChoiceField(choices=settings.LANGUAGES),
    "slug": forms.SlugField(max_length=120),
    "category": forms.CharField(max_length=100),
    "question": forms.CharField(max_length=300),
    "answer": forms.CharField(max_length=ANSWER_LIMIT),
    "phrasings": TextsField("\n", 300),
    "keywords": TextsField(",", 100),
    "status": forms.ChoiceField(choices=FAQ.Status.choices),
    "priority": forms.IntegerField(min_value=0, max_value=100),
    "meta_title": forms.CharField(max_length=70, required=False),
    "meta_description": forms.CharField(max_length=160, required=False),
}


def read(raw: Mapping[str, Any]) -> tuple[Values, Errors]:
    """The fields that a row gives, or what is wrong with them."""
    if "" in raw:
        reason = _("This is not an entry with the file's columns, or it has cells beyond them.")
        return {}, [{"field": "", "reason": reason}]
    given = {name: _cell(raw[name]) for name in COLUMNS if name in raw} | {"question": _cell(raw.get("question"))}
    values: Values = {}
    errors: Errors = []
    for name, value in given.items():
        if value in ("", []) and name in _EMPTY_SAYS_NOTHING:
            continue
        try:
            values[name] = FIELDS[name].clean(value)
        except forms.ValidationError as error:
            errors.append({"field": name, "reason": " ".join(error.messages)})
    return values, errors


def _cell(value: Any) -> Any:
    """Numbers of a spreadsheet as text (50.0 is 50); anything that is no text is told by its field."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        return value
    return clean("" if value is None else str(value))


def slug_for(question: str) -> str:
    """The same slug for the same question on every import; letters without a Latin form become a digest."""
    return slugify(question)[:120] or f"faq-{hashlib.sha256(question.encode()).hexdigest()[:10]}"


def values_of(faq: FAQ) -> Values:
    """A FAQ's content by column; its phrasings and category should be there already."""
    return {
        "language": faq.language,
        "slug": faq.slug,
        "category": faq.category.slug,
        "question": clean(faq.question),
        "answer": clean(faq.answer),
        "phrasings": FIELDS["phrasings"].to_python([phrasing.text for phrasing in faq.phrasings.all()]),
        "keywords": FIELDS["keywords"].to_python(list(map(str, faq.keywords))),
        "status": faq.status,
        "priority": faq.priority,
        "meta_title": clean(faq.meta_title),
        "meta_description": clean(faq.meta_description),
    }


def fingerprint(values: Values) -> str:
    content = [sorted(values[name]) if isinstance(values[name], list) else values[name] for name in COLUMNS]
    return hashlib.sha256(orjson.dumps(content)).hexdigest()[:32]


def differing(old: Values, new: Values) -> Iterable[str]:
    """The columns in which two contents differ; the order of a list says nothing."""
    return [name for name in COLUMNS if name in new and _plain(old[name]) != _plain(new[name])]


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
