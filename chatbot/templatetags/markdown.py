import re
from collections.abc import Mapping
from typing import Any

from django import template
from django.utils.safestring import SafeString, mark_safe

from chatbot.markdown import render

register = template.Library()
_MARKS = re.compile(r"[*`#|]+|\[\d{1,3}\]")


@register.filter
def markdown(text: str) -> SafeString:
    """A text in Markdown as safe HTML."""
    return mark_safe(render(text))  # noqa: S308  (sanitised by nh3)


@register.filter
def plain(text: str) -> str:
    """A piece of Markdown without its marks, for a line of plain text."""
    return _MARKS.sub("", text)


@register.filter
def answer(message: Mapping[str, Any]) -> SafeString:
    """The body of a message frame in Markdown, with its citations as links and without the notice of a bad end."""
    return mark_safe(render(body(message), message["sources"]))  # noqa: S308  (sanitised by nh3)


def body(message: Mapping[str, Any]) -> str:
    """The content of a frame but for the error's message, which ends the content and is shown apart."""
    error: Mapping[str, str] | None = message["error"]
    return str(message["content"]).removesuffix(error["message"] if error else "").rstrip()
