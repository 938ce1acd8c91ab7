"""Answers as HTML: what they use survives, what could harm does not, and both renderers allow the same."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pytest_django import Settings

from chatbot.markdown import ATTRIBUTES, TAGS, render
from chatbot.templatetags.markdown import answer, plain
from chatbot.tests.nasty import NASTY

SCRIPT = Path(__file__).resolve().parents[2] / "static" / "js" / "markdown.js"
SOURCES = [{"n": 1, "faq_id": 7, "question": 'When "exactly"?', "url": "/help/times?lang=de&x=<y>"}]


class Elements(HTMLParser):
    """Collects what a browser would make of the HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", NASTY)
def test_nothing_but_harmless_elements_comes_out(text: str) -> None:
    for tag, attributes in Elements(render(text, SOURCES)).found:
        assert tag in TAGS
        assert set(attributes) <= {*ATTRIBUTES.get(tag, ()), "rel", "class"}
        address = re.sub(r"[\x00-\x20]", "", attributes.get("href") or "")
        assert urlsplit(address).scheme in {"", "http", "https", "mailto"}


def test_the_browser_allows_the_same_elements() -> None:
    listed = re.search(r"TAGS = \[(.*?)\]", SCRIPT.read_text(encoding="utf-8"), re.DOTALL)
    assert listed
    assert set(re.findall(r'"(\w+)"', listed[1])) == TAGS


def test_a_citation_leads_to_its_source() -> None:
    html = render("In two days [1], says [2].", SOURCES)
    (link,) = [attributes for tag, attributes in Elements(html).found if tag == "a"]
    assert link["class"] == "cite"
    assert link["href"] == SOURCES[0]["url"]
    assert link["title"] == SOURCES[0]["question"]
    assert "[2]" in html


@pytest.mark.parametrize(
    "text", ["`[1]`", "```\n[1]\n```", "[1](https://example.com)", "[see [1]](https://example.com)"]
)
def test_code_and_links_hold_no_citations(text: str) -> None:
    assert 'class="cite"' not in render(text, SOURCES)


def test_only_links_to_other_hosts_open_a_tab(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["shop.example"]
    links = "[a](/help/x) [b](https://shop.example/y) [c](https://other.example) [d](//other.example) [e](mailto:a@b.example)"
    found = [attributes for tag, attributes in Elements(render(links)).found if tag == "a"]
    assert ["target" in link for link in found] == [False, False, True, True, False]
    assert {link["rel"] for link in found} == {"noopener nofollow"}


def test_headings_stay_below_those_of_the_page() -> None:
    tags = [tag for tag, _attributes in Elements(render("# One\n\n## Two\n\n###### Six")).found]
    assert tags == ["h3", "h4", "h6"]


def test_what_answers_use_survives() -> None:
    html = render("**a** *b* ~~c~~\nnext\n\n3. x\n\n> q\n\n| h |\n|-|\n| d |")
    tags = {tag for tag, _attributes in Elements(html).found}
    assert {"strong", "em", "s", "br", "ol", "li", "blockquote", "table", "th", "td"} <= tags
    assert '<ol start="3">' in html


def test_the_notice_of_a_bad_end_is_left_to_its_box() -> None:
    frame = {"content": "Half an answer\n\nSorry.", "sources": [], "error": {"code": "internal", "message": "Sorry."}}
    assert answer(frame) == "<p>Half an answer</p>\n"


def test_a_line_of_plain_text_shows_no_marks() -> None:
    assert plain("**Open** *My orders* [1] and `x`") == "Open My orders  and x"
