"""Markdown of answers to safe HTML, on the server; static/js/render.js does the same in the browser."""

import re
from collections.abc import Collection
from functools import cache

import nh3
from markdown_it import MarkdownIt

TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
_CITATION = re.compile(r"\[(\d{1,3})\]")


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])


def render(text: str, cited: Collection[int] = ()) -> str:
    """HTML with only harmless tags and http(s), mailto or relative links; `[n]` becomes a link to source n when n is cited."""
    html = nh3.clean(
        _parser().render(text),
        tags=TAGS,
        attributes={"a": {"href", "title"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener nofollow",
    )

    def link(match: re.Match[str]) -> str:
        number = int(match[1])
        return f'<a class="cite" href="#source-{number}">[{number}]</a>' if number in cited else match[0]

    return _CITATION.sub(link, html)
