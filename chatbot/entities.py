"""What a message names that a person would write down: addresses, numbers, dates, amounts, products."""

import re
from dataclasses import asdict, dataclass

import phonenumbers
from django.conf import settings

_MONTHS = (
    r"jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[eé]vrier|febrero|mar(?:ch|s|zo)?|m[aä]rz|apr(?:il)?|abril|avril|may|mai|mayo|june?|juni?|juin|junio"
    r"|july?|juli?|juillet|julio|aug(?:ust)?|ao[uû]t|agosto|sep(?:t(?:ember|iembre|embre)?)?|o[ck]t(?:ober|ubre|obre)?|nov(?:ember|iembre|embre)?"
    r"|de[cz](?:ember)?|diciembre|d[eé]cembre|enero"
)
_CURRENCY = r"(?:€|\$|£|¥|eur(?:os?)?|usd|gbp|chf|dollars?|pounds?|d[oó]lares|franken|francs?)"
_NUMBER = r"\d{1,3}(?:[.,' ]\d{3}){0,5}(?:[.,]\d{1,2})?|\d+(?:[.,]\d{1,2})?"
# In this order: what one pattern took is not looked at by the next.
_PATTERNS = {
    "email": r"[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*\.[a-z]{2,}",
    "date": rf"\b(?:\d{{4}}-\d{{2}}-\d{{2}}|\d{{1,2}}[./]\d{{1,2}}[./](?:\d{{4}}|\d{{2}})"
    rf"|\d{{1,2}}(?:st|nd|rd|th|\.)?(?: of| de)? (?:{_MONTHS})\b\.?(?:,? (?:de )?\d{{4}})?|(?:{_MONTHS})\.? \d{{1,2}}(?:st|nd|rd|th)?\b(?:,? \d{{4}})?)",
    "amount": rf"(?<![\w.])(?:{_CURRENCY}\s?(?:{_NUMBER})|(?:{_NUMBER})\s?{_CURRENCY})(?!\w)",
    "order": r"(?<=#)[\w-]*\d[\w-]{2,}|\b[A-Z]{2,5}-?\d[\d-]{3,}\b"
    r"|(?<=\border )\d{4,}|(?:(?<=number )|(?<=no\. )|(?<=nummer )|(?<=número )|(?<=numéro ))[A-Z]*-?\d[\d-]{3,}",
}
_COMPILED = {kind: re.compile(pattern, re.I if kind != "order" else 0) for kind, pattern in _PATTERNS.items()}
# Where a number without its country's code is taken to be.
_REGIONS = {"en": "US", "es": "ES", "de": "DE", "fr": "FR"}


@dataclass(frozen=True)
class Entity:
    """`kind` is email, phone, order, date, amount or product; `text` as the visitor wrote it."""

    kind: str
    text: str


def entities(text: str, language: str) -> list[dict[str, str]]:
    """In order of appearance, each once."""
    found: list[tuple[int, Entity]] = []
    left = text
    for kind in ("email", "date", "amount", "order"):
        for match in _COMPILED[kind].finditer(left):
            found.append((match.start(), Entity(kind, match[0])))
        left = _COMPILED[kind].sub(lambda match: " " * len(match[0]), left)
    for phone in phonenumbers.PhoneNumberMatcher(left, _REGIONS.get(language)):
        found.append((phone.start, Entity("phone", phone.raw_string)))
    for name in settings.PRODUCT_NAMES:
        if product := re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.I):
            found.append((product.start(), Entity("product", product[0])))
    return [
        asdict(entity) for entity in dict.fromkeys(entity for _place, entity in sorted(found, key=lambda one: one[0]))
    ]
