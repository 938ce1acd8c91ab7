"""Every address of the project, read from its URL patterns."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from django.contrib.admindocs.views import simplify_regex
from django.urls import URLPattern, URLResolver, get_resolver

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


def patterns() -> Iterator[str]:
    """Such as `/chat/<conversation_id>/rename`, in the order in which they are tried."""
    for pattern, _view in views():
        yield pattern


def path_of(pattern: str, **values: Any) -> str:
    """The pattern as an address; what `values` lacks is an id that nothing has."""
    return re.sub(r"<(\w+)>", lambda found: str(values.get(found[1], NOWHERE)), pattern)


# Data in a script element, which no browser runs.
DATA = ("application/json", "application/ld+json")


@dataclass
class Markup(HTMLParser):
    """Collects what a strict policy forbids in a page."""

    forbidden: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        inline = tag == "script" and "src" not in values and values.get("type") not in DATA
        if (inline or tag == "style") and "nonce" not in values:
            self.forbidden.append(f"<{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on") or (value or "").strip().lower().startswith("javascript:"):
                self.forbidden.append(f'<{tag} {name}="{value}">')


def forbidden_markup(html: str) -> list[str]:
    markup = Markup()
    markup.feed(html)
    return markup.forbidden


def views(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every pattern with its view."""
    for entry in (resolver or get_resolver()).url_patterns:
        pattern = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from views(entry, pattern)
        elif isinstance(entry, URLPattern):
            yield simplify_regex(re.sub(r"<\w+:(\w+)>", r"(?P<\1>x)", pattern)), entry.callback


def methods(view: Any) -> list[str]:
    """What a view answers to; one of the pages is asked with GET."""
    if actions := getattr(view, "actions", None):
        return sorted(method.upper() for method in actions if method != "head")
    known = getattr(view, "view_class", None) or getattr(view, "cls", None)
    found = [name.upper() for name in ("get", "post", "put", "patch", "delete") if hasattr(known, name)]
    return found if found and "rest_framework" in str(getattr(known, "__mro__", "")) else ["GET"]
