"""From a page to questions with answers: every heading or question with the text below it."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass

import lxml.html
from django.utils.translation import gettext as _
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from ..exchange.rows import clean
from ..jobs import JobFailed

PDF_PAGES = 300
_HEADING = re.compile(r" {0,3}#{1,6}\s+(.+?)\s*#*\s*$")
# A line of its own that is all bold, or a question.
_BOLD = re.compile(r"\s*(?:\*\*|__)([^*_]+)(?:\*\*|__)\s*$")
_QUESTION = re.compile(r"\s*(?:\d+[.)]\s+|Q:\s*)?([A-ZÀ-Þ¿].{8,198}\?)\s*$")
_FENCE = re.compile(r"\s*(```|~~~)")
_MARKS = re.compile(r"[*_`]+|!?\[([^\]]*)\]\([^)]*\)")
# Elements that readers see as a question with its answer.
_AS_HEADINGS = {"summary": "h3", "dt": "h3", "dd": "div", "dl": "div", "details": "div"}


@dataclass(frozen=True)
class Piece:
    heading: str
    text: str


def pieces_of(content: bytes, name: str, type: str = "", address: str | None = None) -> list[Piece]:
    """What a HTML, Markdown or PDF document asks and answers; text before the first heading is left out. Raises JobFailed."""
    kind = _kind(content, name.lower(), type)
    if kind == "pdf":
        markdown = _from_pdf(content)
    elif kind == "html":
        markdown = _from_html(content, address)
    else:
        markdown = clean(content.decode("utf-8-sig", errors="replace"))
    found = list(_split(markdown))
    if not found:
        raise JobFailed(_("No headings or questions were found in this page."))
    return found


def _kind(content: bytes, name: str, type: str) -> str:
    if content.startswith(b"%PDF-"):
        return "pdf"
    if "html" in type or name.endswith((".html", ".htm")):
        return "html"
    if "markdown" in type or type == "text/plain" or name.endswith((".md", ".markdown", ".txt")):
        return "markdown"
    raise JobFailed(_("Only HTML, Markdown and PDF can be read, not %s.") % (type or name.rpartition(".")[2] or name))


def _from_html(content: bytes, address: str | None) -> str:
    """The page's main text as Markdown, without its menus and footers."""
    # Half a second that only this needs.
    import trafilatura

    try:
        tree = lxml.html.fromstring(content)
    except (lxml.etree.ParserError, ValueError):
        raise JobFailed(_("The page is empty.")) from None
    for element in tree.iter(*_AS_HEADINGS):
        element.tag = _AS_HEADINGS[str(element.tag)]
    text = trafilatura.extract(
        tree,
        url=address,
        output_format="markdown",
        include_links=True,
        include_formatting=True,
        include_comments=False,
        favor_recall=True,
    )
    return clean(text or "")


def _from_pdf(content: bytes) -> str:
    """The text with its questions as headings and its lines put together into paragraphs."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise JobFailed(_("The PDF is protected by a password. Save it without one."))
        if len(reader.pages) > PDF_PAGES:
            raise JobFailed(_("The PDF has more than %d pages. Split it.") % PDF_PAGES)
        lines = "\n".join(page.extract_text() for page in reader.pages).splitlines()
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise JobFailed(_("The PDF cannot be read. Open it and save it again.")) from None
    text = ""
    for line in map(clean, lines):
        if _QUESTION.match(line):
            text += f"\n\n## {line}\n\n"
        else:
            text += f"{line} " if line and not line.endswith((".", ":", "!")) else f"{line}\n"
    return clean(text)


def _split(markdown: str) -> Iterator[Piece]:
    heading, lines, fenced = "", list[str](), False
    for line in markdown.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        found = None if fenced else _heading(line)
        if found is None:
            lines.append(line)
            continue
        if heading:
            yield Piece(heading, "\n".join(lines).strip())
        heading, lines = found, []
    if heading:
        yield Piece(heading, "\n".join(lines).strip())


def _heading(line: str) -> str | None:
    match = _HEADING.match(line) or _BOLD.match(line) or _QUESTION.match(line)
    text = _MARKS.sub(r"\1", match[1]).strip() if match else ""
    return re.sub(r"^(?:\d+[.)]|Q:)\s+", "", text) or None
