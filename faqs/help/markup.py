"""What a help page tells search engines."""

import json
from html import unescape
from typing import Any

from django.conf import settings
from django.utils.html import strip_tags
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from ..models import FAQ

# A script element ends at the first "</script", whatever the JSON around it.
_ESCAPES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def answer_html(faq: FAQ) -> str:
    html: str = import_string(settings.MARKDOWN_RENDERER)(faq.answer)
    return html


def faq_page(faq: FAQ, html: str) -> SafeString:
    """The FAQ as schema.org's FAQPage, safe inside a script element."""
    content: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "FAQPage",
        "inLanguage": faq.language,
        "mainEntity": [
            {"@type": "Question", "name": faq.question, "acceptedAnswer": {"@type": "Answer", "text": html.strip()}}
        ],
    }
    return mark_safe(json.dumps(content, ensure_ascii=False).translate(_ESCAPES))  # noqa: S308


def description(faq: FAQ, html: str) -> str:
    text = " ".join(unescape(strip_tags(html)).split())
    return faq.meta_description or Truncator(text).chars(155)
