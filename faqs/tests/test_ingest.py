"""Help pages become drafts that name their source; what is fetched stays outside of private networks."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import aiohttp
import pytest
from django.test import Client
from pypdf import PdfReader, PdfWriter

from accounts.models import User
from accounts.roles import sync_role
from faqs import public_web, tasks
from faqs.ingest import fetch as fetching
from faqs.ingest import pieces as reading
from faqs.ingest import services
from faqs.ingest.models import Ingest, Source
from faqs.ingest.pieces import Piece, pieces_of
from faqs.jobs import JobFailed
from faqs.models import FAQ, Category

HTML = b"""<html><head><title>Help</title></head><body><nav><a href="/">Home</a></nav>
<main><h2>How long does delivery take?</h2><p>It takes <strong>two days</strong>, see the <a href="/terms">terms</a>.</p>
<ul><li>DHL</li><li>UPS</li></ul><script>alert(1)</script>
<details><summary>Can I change my address?</summary><p>Yes, as long as we have not shipped it.</p></details>
<dl><dt>What does it cost?</dt><dd>Nothing from 50 euros on.</dd></dl><h2>Empty</h2><h2>Returns</h2><p>Within 14 days after delivery.</p>
</main><footer><p>Imprint and privacy</p></footer></body></html>"""
MARKDOWN = (
    b"Intro\n\n# 1. First **thing**\nIts text is here.\n\n```\n# no heading\n```\n\n"
    b"**Bold?**\nBold text below.\n\nWhere is my parcel?\nIt is on its way.\n"
)


def pdf(*lines: str) -> bytes:
    """The smallest PDF that shows these lines."""
    shown = " ".join(f"({line}) Tj 0 -14 Td" for line in lines)
    stream = f"BT /F1 12 Tf 50 700 Td {shown} ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 5 0 R >> >> >>",
        f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer << /Root 1 0 R /Size 6 >>\nstartxref\n{len(out)}\n%%EOF"
    return out + end.encode()


class Site(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, tuple[int, str, bytes]]] = {}

    def do_GET(self) -> None:
        status, kind, body = self.pages.get(self.path, (404, "text/plain", b""))
        self.send_response(status)
        self.send_header("Location" if status == 302 else "Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def site(settings: Any) -> Iterator[str]:
    settings.INGEST_PRIVATE_ADDRESSES = True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def category(db: None) -> Category:
    return Category.objects.create(name="Delivery", slug="delivery")


def ingested(address: str, category: Category, content: bytes | None = None) -> Ingest:
    user, _created = User.objects.get_or_create(email="ed@example.com", role="editor")
    job = services.submit(user=user, address=address, content=content, language="en", category=category)
    tasks.run_ingest(job.pk)
    job.refresh_from_db()
    return job


def test_a_web_page_becomes_drafts_that_name_it(site: str, category: Category) -> None:
    Site.pages = {"/old": (302, "/help", b""), "/help": (200, "text/html; charset=utf-8", HTML)}
    job = ingested(f"{site}/old", category)
    assert (job.status, job.problem) == ("done", "")
    drafts = {faq.question: faq.answer for faq in FAQ.objects.filter(status="draft", category=category)}
    assert set(drafts) == {"How long does delivery take?", "Can I change my address?", "What does it cost?", "Returns"}
    assert "**two days**" in drafts["How long does delivery take?"]
    assert f"[terms]({site}/terms)" in drafts["How long does delivery take?"]
    assert not any("alert" in text or "Imprint" in text or "Home" in text for text in drafts.values())
    assert job.left_out == [{"heading": "Empty", "reason": "There is no text below it."}]
    assert set(Source.objects.values_list("address", flat=True)) == {f"{site}/old"}
    again = ingested(f"{site}/old", category)
    assert (FAQ.objects.count(), len(again.left_out)) == (4, 5)


def test_a_taken_slug_does_not_stop_it(category: Category) -> None:
    FAQ.objects.create(category=category, question="Returns", answer="Older")
    ingested("help.html", category, HTML)
    assert set(FAQ.objects.filter(question="Returns").values_list("slug", flat=True)) == {"returns", "returns-2"}


def test_markdown() -> None:
    assert pieces_of(MARKDOWN, "help.md") == [
        Piece("First thing", "Its text is here.\n\n```\n# no heading\n```"),
        Piece("Bold?", "Bold text below."),
        Piece("Where is my parcel?", "It is on its way."),
    ]
    assert pieces_of(MARKDOWN, "x", "text/markdown") == pieces_of(MARKDOWN, "x.txt")


def test_a_pdf_by_its_questions() -> None:
    content = pdf("Help for customers", "Where is my parcel?", "It is on its", "way to you.", "When do I pay?", "Now.")
    assert pieces_of(content, "upload") == [
        Piece("Where is my parcel?", "It is on its way to you."),
        Piece("When do I pay?", "Now."),
    ]


def locked_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf("Why?"))))
    writer.encrypt("secret")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.html", "empty"),
        (b"<p>No heading at all</p>", "a.html", "No headings"),
        (b"x", "a.docx", "docx"),
        (b"%PDF-1.4 nonsense", "a.pdf", "cannot be read"),
        (locked_pdf(), "a.pdf", "password"),
        (pdf("Nothing asked."), "a.pdf", "No headings"),
    ],
)
def test_what_cannot_be_read_says_why(category: Category, content: bytes, name: str, reason: str) -> None:
    job = ingested(name, category, content)
    assert (job.status, reason in job.problem) == ("failed", True), job.problem
    assert not FAQ.objects.exists()


def test_limits(category: Category, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "MOST", 1)
    job = ingested(
        "a.md", category, b"# " + b"x" * 301 + b"\nText that is long enough.\n# Two\nText that is long enough.\n"
    )
    assert [one["reason"][:8] for one in job.left_out] == ["Its head", "The page"]
    monkeypatch.setattr(reading, "PDF_PAGES", 0)
    assert "0 pages" in ingested("a.pdf", category, pdf("Why?")).problem


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::a00:1]/",
        "http://[2002:a00:1::]/",
        "http://0.0.0.0/",
        "http://127.0.0.１０/",
        "http://127．0．0．1/",
        "http://127。0。0。1/",
        "http://１２７.0.0.1/",
        "http://①27.0.0.1/",
        "http://localhost:8000/",
    ],
)
def test_private_addresses_are_not_fetched(category: Category, address: str) -> None:
    job = ingested(address, category)
    assert (job.status, job.problem) == ("failed", "This address is not on the public internet.")


@pytest.mark.parametrize(
    "address", ["ftp://example.com/", "file:///etc/passwd", "http://user:pw@example.com/", "http://[x"]
)
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(JobFailed, match="http://"):
        fetching.fetch(address)


@pytest.mark.parametrize("location", ["http://10.0.0.1/", "http://１0。0.0.1/"])
def test_a_redirect_is_checked_like_the_first_address(
    location: str, site: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Headers are written as Latin-1; the bytes are those of UTF-8.
    Site.pages = {"/": (302, location.encode().decode("latin-1"), b"")}
    settings.INGEST_PRIVATE_ADDRESSES = False
    monkeypatch.setattr(public_web, "is_public", lambda address: address.startswith("127."))
    with pytest.raises(JobFailed, match="public internet"):
        fetching.fetch(site)


async def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(self: object, host: str, *args: object, **kwargs: object) -> list[dict[str, str]]:
        return [{"host": "93.184.216.34"}, {"host": "192.168.0.1"}]

    monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
    with pytest.raises(public_web.NotPublic):
        await public_web.PublicResolver().resolve("example.com")


def test_pages_that_do_not_come(site: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Site.pages = {"/round": (302, "/round", b""), "/big": (200, "text/html", b"x" * 2_000_000)}
    with pytest.raises(JobFailed, match="redirects more than 5"):
        fetching.fetch(f"{site}/round")
    with pytest.raises(JobFailed, match="status 404"):
        fetching.fetch(f"{site}/none")
    settings.IMPORT_MAX_BYTES = 1024 * 1024
    with pytest.raises(JobFailed, match="larger than 1 MB"):
        fetching.fetch(f"{site}/big")
    with pytest.raises(JobFailed, match="could not be fetched"):
        fetching.fetch("http://127.0.0.1:1/")
    monkeypatch.setattr(fetching, "SECONDS", 0)
    with pytest.raises(JobFailed, match="within 0 seconds"):
        fetching.fetch(f"{site}/big")


def staff(role: str) -> Client:
    user = User.objects.create(email=f"{role}@example.com", role=role)
    sync_role(user)
    client = Client()
    client.force_login(user)
    return client


def test_editors_make_drafts_of_a_page(category: Category, settings: Any) -> None:
    client, address = staff("editor"), "/admin/faqs/ingest/add/"
    chosen = {"category": category.pk, "language": "en"}
    assert "HTML, Markdown or PDF" in client.get(address).content.decode()
    assert "either an address or a file" in client.post(address, chosen).content.decode()
    file = io.BytesIO(MARKDOWN)
    file.name = "help.md"
    page = client.post(address, chosen | {"file": file}).headers["Location"]
    assert "is being read" in client.get(page).content.decode()
    tasks.run_ingest(Ingest.objects.get().pk)
    assert "3 drafts made" in client.get(page).content.decode()
    faq = FAQ.objects.get(question="Bold?")
    assert "help.md" in client.get(f"/admin/faqs/faq/{faq.pk}/change/").content.decode()
    assert "help.md" in client.get("/admin/faqs/ingest/").content.decode()
    page = client.post(address, chosen | {"url": "http://127.0.0.1/"}).headers["Location"]
    tasks.run_ingest(Ingest.objects.latest("pk").pk)
    assert "not on the public internet" in client.get(page).content.decode()
    settings.IMPORT_MAX_BYTES = 1
    file.seek(0)
    assert "larger than" in client.post(address, chosen | {"file": file}).content.decode()
    assert client.get("/admin/faqs/ingest/999/change/").status_code == 404


@pytest.mark.parametrize(("role", "status"), [("user", 302), ("agent", 403), ("analyst", 403)])
def test_other_roles_do_not_read_pages(category: Category, role: str, status: int) -> None:
    job = ingested("a.md", category, MARKDOWN)
    client = staff(role)
    assert client.get("/admin/faqs/ingest/add/").status_code == status
    assert client.get(f"/admin/faqs/ingest/{job.pk}/change/").status_code == status
