"""What every response tells the browser, and what no page may contain."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from channels.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import override_settings
from pytest_django import Settings

from accounts.models import User
from chatbot.middleware import SecurityHeadersMiddleware
from conversations import services
from faqs.models import FAQ, Category
from rest.body_limit import Application, BodyLimit

from .routes import forbidden_markup, path_of, patterns


@pytest.fixture
def values(db: None) -> dict[str, object]:
    """Something to see under every address."""
    admin = User.objects.create_superuser("root@example.com", "correct horse battery")
    posted = services.post_message(user=admin, content="Hello", client_id=uuid4())
    category = Category.objects.create(name="Orders", slug="orders")
    faq = FAQ.objects.create(category=category, question="When?", answer="Soon.", status="published", slug="when")
    return {"admin": admin, "conversation_id": posted.message.conversation_id, "slug": faq.slug}


def responses(client: Client, values: dict[str, object]) -> Iterator[tuple[str, HttpResponse]]:
    for pattern in patterns():
        path = path_of(pattern, **values)
        yield path, client.get(path)  # type: ignore[misc]
    for path in ("/nowhere", "/admin/nowhere", "/static/nowhere"):
        yield path, client.get(path)  # type: ignore[misc]


@pytest.mark.parametrize("signed_in", [True, False])
def test_every_response_is_strict(client: Client, values: dict[str, object], signed_in: bool) -> None:
    if signed_in:
        client.force_login(values["admin"])  # type: ignore[arg-type]
    pages = 0
    for path, response in responses(client, values):
        assert response.status_code < 500 or path == "/health/ready", path
        headers = response.headers
        policy = headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy, path
        assert ("unsafe-eval" in policy) == path.startswith("/admin/"), path
        assert "frame-ancestors 'none'" in policy
        assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff"), path
        assert headers["Referrer-Policy"] == headers["Cross-Origin-Opener-Policy"] == "same-origin", path
        assert "camera=()" in headers["Permissions-Policy"], path
        if headers.get("Content-Type", "").startswith("text/html") and not response.streaming:
            pages += 1
            assert forbidden_markup(response.content.decode()) == [], path
    assert pages > 10


@pytest.mark.parametrize(
    "html",
    ["<a onclick='x()'>", "<script>x()</script>", "<style>a{}</style>", "<p style='a'>", "<a href=' JavaScript:x()'>"],
)
def test_the_scan_finds_what_it_looks_for(html: str) -> None:
    assert forbidden_markup(html)


def test_https_is_asked_for_and_kept(client: Client) -> None:
    with override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=31_536_000, SECURE_HSTS_PRELOAD=True):
        assert Client().get("/accounts/login/")["Location"].startswith("https://")
        response = Client().get("/accounts/login/", secure=True)
    assert response["Strict-Transport-Security"].startswith("max-age=31536000")
    assert "connect-src 'self' wss://testserver" in response["Content-Security-Policy"]


def test_a_nonce_is_in_the_policy_when_a_page_uses_it() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"<script nonce='{request.csp_nonce}'>")  # type: ignore[attr-defined]

    protected = SecurityHeadersMiddleware(view)
    first, second = (protected(RequestFactory().get("/")) for _ in range(2))
    assert isinstance(first, HttpResponse)
    nonce = first.content.decode().split("'")[1]
    assert first["Content-Security-Policy"].count(f"'nonce-{nonce}'") == 2
    assert nonce not in second.headers["Content-Security-Policy"]  # type: ignore[union-attr]


def test_other_sites_read_nothing_unless_named(client: Client, db: None, settings: Settings) -> None:
    origin = {"Origin": "https://shop.example.com"}
    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/nothing", headers=origin)
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example.com"]
    response = client.get("/api/v1/nothing", headers=origin)
    assert response["Access-Control-Allow-Origin"] == origin["Origin"]
    assert "Access-Control-Allow-Credentials" not in response
    assert "Access-Control-Allow-Origin" not in client.get("/", headers=origin)


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_body_that_is_too_long_is_refused_in_words(client: Client, settings: Settings, accept: str) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    form = {"login": "a" * 2000, "password": "b"}
    response = client.post(
        "/accounts/login/", form, content_type="application/x-www-form-urlencoded", headers={"Accept": accept}
    )
    assert response.status_code == 413
    assert b"larger than the 1,000 bytes" in response.content
    if accept == "application/json":
        assert response.json()["code"] == "too_large"


async def _answer(
    application: Application, parts: list[bytes], headers: list[tuple[bytes, bytes]]
) -> tuple[int, bytes]:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": headers}
    communicator = ApplicationCommunicator(application, scope)
    for number, part in enumerate(parts, 1):
        await communicator.send_input({"type": "http.request", "body": part, "more_body": number < len(parts)})
    start = await communicator.receive_output()
    body = await communicator.receive_output()
    return start["status"], body["body"]


@pytest.mark.parametrize(
    ("parts", "announced", "status"),
    [([b"12345", b"67890"], None, 200), ([b"12345", b"678901"], None, 413), ([b""], b"11", 413), ([b"1"], b"x", 200)],
)
async def test_a_request_is_cut_off_where_it_grows_too_long(
    parts: list[bytes], announced: bytes | None, status: int
) -> None:
    async def application(scope: object, receive: object, send: object) -> None:
        while (await receive())["more_body"]:  # type: ignore[operator]
            pass
        await send({"type": "http.response.start", "status": 200})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b"ok"})  # type: ignore[operator]

    headers = [(b"content-length", announced)] if announced else []
    assert (await _answer(BodyLimit(application, limit=10), parts, headers))[0] == status
