"""Markdown of answers to safe HTML, on the server; static/js/markdown.js does the same in the browser."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from urllib.parse import urlsplit

import nh3
from django.conf import settings
from django.http.request import validate_host
from django.utils.html import format_html
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

# static/js/markdown.js holds the same list.
TAGS = {
    *("p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTRIBUTES = {"a": {"href", "title", "target"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
_CITATION = re.compile(r"\[(\d{1,3})\]")


def render(text: str, sources: Sequence[Mapping[str, object]] = ()) -> str:
    """HTML with only harmless tags and http(s), mailto or relative links.

    `[n]` becomes a link to the source whose `n` it is; `sources` are those of a message frame (docs/protocol.md).
    """
    return nh3.clean(
        _parser().render(text, {"sources": {source["n"]: source for source in sources}}),
        tags=TAGS,
        attributes=ATTRIBUTES,
        allowed_classes={"a": {"cite"}},
        url_schemes=SCHEMES,
        link_rel="noopener nofollow",
    )


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    # A definition `[1]: ...` would turn citations into links of the model's own making; images are not shown.
    parser.disable(["reference", "image"])
    parser.core.ruler.push("answer", _finish)
    return parser


def _finish(state: StateCore) -> None:
    """Demote headings below those of the page, mark links to other hosts, and link citations."""
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        if token.children:
            token.children = _finish_inline(token.children, state.env.get("sources", {}))


def _finish_inline(children: list[Token], sources: Mapping[int, Mapping[str, object]]) -> list[Token]:
    finished: list[Token] = []
    links = 0
    for token in children:
        links += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if token.type == "link_open" and _is_foreign(str(token.attrGet("href") or "")):
            token.attrSet("target", "_blank")
        if token.type == "text" and sources and not links:
            finished.extend(_cited(token.content, sources))
        else:
            finished.append(token)
    return finished


def _cited(text: str, sources: Mapping[int, Mapping[str, object]]) -> list[Token]:
    """The text as tokens, its citations of known sources as links that open beside the chat."""
    tokens: list[Token] = []
    end = 0
    for match in _CITATION.finditer(text):
        source = sources.get(int(match[1]))
        if source is None:
            continue
        link = '<a class="cite" href="{}" title="{}" target="_blank">{}</a>'
        html = format_html(link, source["url"], source["question"], match[1])
        tokens += [Token("text", "", 0, content=text[end : match.start()]), Token("html_inline", "", 0, content=html)]
        end = match.end()
    return [*tokens, Token("text", "", 0, content=text[end:])]


def _is_foreign(href: str) -> bool:
    """Whether a link leads to another host than the installation's own."""
    try:
        host = urlsplit(href).hostname
    except ValueError:
        return True
    own = [name for name in settings.ALLOWED_HOSTS if name != "*"]
    return bool(host) and not validate_host(str(host), own)
