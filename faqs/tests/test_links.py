"""Links of published answers are tried without reaching into private networks."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from django.utils import timezone

from faqs import curation, links, public_web, selectors
from faqs.models import FAQ, LinkCheck
from faqs.tests.curating import edit, published, signed_in


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A site whose pages answer with the status in their address, with this machine's address taken for a public one."""
    real = public_web.is_public
    monkeypatch.setattr(public_web, "is_public", lambda address: address == "127.0.0.1" or real(address))

    async def answer(request: web.Request) -> web.Response:
        code = int(request.match_info["code"])
        return web.Response(
            status=code, headers={"Location": request.query.get("to", request.path)} if code == 302 else {}
        )

    started, ended = threading.Event(), asyncio.Event()
    loop, address = asyncio.new_event_loop(), list[str]()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get("/{code}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        server = web.TCPSite(runner, "127.0.0.1", 0)
        await server.start()
        address.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    yield address[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join()
    loop.close()


def test_links_are_those_that_visitors_can_click() -> None:
    answer = "[a](https://example.com/x) and [a](https://example.com/x), [m](mailto:a@b.c) [s](#here) [h](/help/when) https://bare.example"
    assert links.links_of(answer)[:2] == ["https://example.com/x", "/help/when"]


@pytest.mark.parametrize(
    ("page", "status"), [("200", "ok"), ("404", "broken"), ("410", "broken"), ("403", "unsure"), ("503", "unsure")]
)
def test_what_a_page_answers(site: str, page: str, status: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = []
    assert links.check([f"{site}/{page}"])[f"{site}/{page}"].status == status


def test_redirects_are_followed_and_checked_like_the_first(site: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = []
    good, inside, endless = f"{site}/302?to=/200", f"{site}/302?to=http://10.0.0.1/", f"{site}/302"
    found = links.check([good, inside, f"{site}/302?to=http://１0。0.0.1/", endless])
    assert [one.status for one in found.values()] == ["ok", "refused", "refused", "unsure"]
    assert "redirects more than" in found[endless].detail


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "[::1]",
        "[fd00::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "0.0.0.0",  # noqa: S104
        "127.0.0.１０",
        "127．0．0．1",
        "127。0。0。1",
        "１２７.0.0.1",
        "①27.0.0.1",
    ],
)
def test_private_addresses_are_refused(host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = []
    assert links.check([f"http://{host}/"])[f"http://{host}/"].status == "refused"


def test_a_name_that_leads_inside_is_refused(settings: Any) -> None:
    settings.ALLOWED_HOSTS = []
    assert links.check(["http://localhost:9/"])["http://localhost:9/"].status == "refused"


def test_public_addresses_are_public() -> None:
    assert public_web.is_public("93.184.215.14")
    assert public_web.is_public("2606:4700::1111")
    assert not public_web.is_public("2001:0:4136:e378:8000:63bf:3fff:fdd2")


def test_own_pages_are_looked_up_and_not_fetched(db: None) -> None:
    published(question="When?")
    found = links.check(["/help/when", "http://testserver/help/", "/help/gone", "/no/such/page"])
    assert [one.status for one in found.values()] == ["ok", "ok", "broken", "broken"]


def test_results_are_kept_for_each_faq_and_follow_its_text(db: None) -> None:
    faq = published(answer="See [this](/help/gone) and [that](/help/).")
    assert selectors.links_due(timezone.now(), 5) == [faq.pk]
    curation.check_links(faq_id=faq.pk)
    curation.check_links(faq_id=faq.pk)
    assert list(LinkCheck.objects.values_list("address", "status")) == [("/help/gone", "broken"), ("/help/", "ok")]
    assert selectors.links_due(timezone.now() - timedelta(days=1), 5) == []
    page = signed_in("editor").get(f"/admin/faqs/faq/{faq.pk}/change/").content.decode()
    assert "/help/gone — Broken" in page
    assert "/help/gone" in signed_in("editor").get("/admin/faqs/linkcheck/?status=broken").content.decode()
    assert signed_in("analyst").get("/admin/faqs/linkcheck/").status_code == 403
    FAQ.objects.update(status="archived")
    curation.check_links(faq_id=faq.pk)
    assert not LinkCheck.objects.exists()
    with pytest.raises(FAQ.DoesNotExist):
        curation.check_links(faq_id=0)


def test_a_text_that_changes_meanwhile_is_tried_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    faq = published(answer="[gone](/help/gone)")

    def change(addresses: list[str]) -> dict[str, links.Found]:
        FAQ.objects.update(answer="No link.")
        return {"/help/gone": links.Found("broken", 404)}

    monkeypatch.setattr(links, "check", change)
    curation.check_links(faq_id=faq.pk)
    assert not LinkCheck.objects.exists()
    assert selectors.links_due(timezone.now(), 5) == [faq.pk]
    edit(faq, answer="Next")
