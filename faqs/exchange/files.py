"""CSV, XLSX and JSON files of FAQs, both ways. What is written can be read back exactly.

A cell that a spreadsheet would run as a formula is written with an apostrophe before it, and read without.
"""

import csv
import io
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import openpyxl
import orjson
from django.conf import settings
from django.utils.translation import gettext as _

from ..jobs import JobFailed
from .rows import COLUMNS, VERSION

Raw = dict[str, Any]
HEADER = (*COLUMNS, VERSION)
_LISTS = {"phrasings": "\n", "keywords": ", "}
_RUNS = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
XLSX_CELL = 32_767
# A small file can unpack to a huge one.
XLSX_UNPACKED = 200 * 1024 * 1024


class Unwritable(Exception):
    """A FAQ does not fit into the format; the text says which and what to do."""


def escape(cell: str) -> str:
    return f"'{cell}" if _RUNS.match(cell) else cell


def unescape(cell: Any) -> Any:
    return cell[1:] if isinstance(cell, str) and cell.startswith("'") and _RUNS.match(cell) else cell


def _cells(row: Mapping[str, Any]) -> list[str]:
    values = [_LISTS[name].join(row[name]) if name in _LISTS else str(row[name]) for name in HEADER]
    return [escape(value) for value in values]


def write(rows: Iterable[Mapping[str, Any]], format: str) -> bytes:
    """Raises Unwritable."""
    return _WRITERS[format](rows)


def _write_csv(rows: Iterable[Mapping[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADER)
    writer.writerows(map(_cells, rows))
    # The mark tells spreadsheets that it is UTF-8.
    return out.getvalue().encode("utf-8-sig")


def _write_xlsx(rows: Iterable[Mapping[str, Any]]) -> bytes:
    lines = list(map(_cells, rows))
    if too_long := next((line for line in lines if max(map(len, line)) > XLSX_CELL), None):
        question = too_long[HEADER.index("question")]
        raise Unwritable(_("“%s” is too long for a cell of XLSX. Export CSV or JSON.") % question)
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("FAQs")
    for line in [HEADER, *lines]:
        sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _write_json(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return orjson.dumps([dict(row) for row in rows], option=orjson.OPT_INDENT_2)


def read(content: bytes, format: str) -> Iterator[tuple[int, Raw]]:
    """Numbered rows as a spreadsheet shows them (the header is row 1; JSON counts its entries). Raises JobFailed."""
    rows = _READERS[format](content)
    for count, (number, row) in enumerate(rows, start=1):
        if count > settings.IMPORT_MAX_ROWS:
            raise JobFailed(
                _("The file has more than %d rows. Split it into several files.") % settings.IMPORT_MAX_ROWS
            )
        yield number, row


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        raise JobFailed(_("The file is not UTF-8. Save it as “CSV UTF-8” and upload it again.")) from None


def _read_csv(content: bytes) -> Iterator[tuple[int, Raw]]:
    text = _decoded(content)
    first = text.split("\n", 1)[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        yield from _table(reader)
    except csv.Error as error:
        place = {"line": reader.line_num, "error": error}
        raise JobFailed(_("Line %(line)s of the file is not valid CSV: %(error)s.") % place) from None


def _read_xlsx(content: bytes) -> Iterator[tuple[int, Raw]]:
    problem = _("The file is not a readable XLSX workbook. Open it in a spreadsheet and save it again as .xlsx.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > XLSX_UNPACKED:
                raise JobFailed(_("The workbook unpacks to more than 200 MB. Split it into several files."))
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        yield from _table(sheet_rows for sheet_rows in book.worksheets[0].iter_rows(values_only=True))
    except (zipfile.BadZipFile, KeyError, ValueError, IndexError, OSError):
        raise JobFailed(problem) from None


def _table(lines: Iterable[Iterable[Any]]) -> Iterator[tuple[int, Raw]]:
    """Rows by the names of the first line; lines with nothing in them are passed over."""
    numbered = enumerate(lines, start=1)
    _number, first = next(numbered, (1, ()))
    header = [str(name or "").strip().lower() for name in first]
    if "question" not in header:
        raise JobFailed(_("The first row must name the columns, one of them “question”."))
    if twice := {name for name in header if name and header.count(name) > 1}:
        raise JobFailed(_("The column “%s” is there twice.") % min(twice))
    for number, line in numbered:
        cells = [unescape(cell) for cell in line]
        if any(cell not in (None, "") for cell in cells):
            extra = any(cell not in (None, "") for cell in cells[len(header) :])
            row = dict(zip(header, cells, strict=False))
            yield number, row | ({"": "extra"} if extra else {})


def _read_json(content: bytes) -> Iterator[tuple[int, Raw]]:
    try:
        entries = orjson.loads(_decoded(content))
    except orjson.JSONDecodeError as error:
        raise JobFailed(_("The file is not valid JSON: %s.") % error) from None
    if isinstance(entries, dict):
        entries = entries.get("faqs")
    if not isinstance(entries, list):
        raise JobFailed(_("The file must hold a list of FAQs, each an object with a “question”."))
    for number, entry in enumerate(entries, start=1):
        yield number, entry if isinstance(entry, dict) else {"": entry}


_WRITERS: dict[str, Callable[[Iterable[Mapping[str, Any]]], bytes]] = {
    "csv": _write_csv,
    "xlsx": _write_xlsx,
    "json": _write_json,
}
_READERS: dict[str, Callable[[bytes], Iterator[tuple[int, Raw]]]] = {
    "csv": _read_csv,
    "xlsx": _read_xlsx,
    "json": _read_json,
}
