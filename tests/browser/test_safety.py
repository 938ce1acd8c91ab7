"""Nasty texts through the browser's renderer, and pages that obey the strict policy."""

import pytest
from playwright.sync_api import Page, expect

from chatbot.demo import DEMO_LOGINS
from chatbot.markdown import TAGS
from chatbot.tests.nasty import NASTY
from tests.browser.actions import ask, ask_and_read
from tests.system import LiveSystem

RENDER = """async ({text, known}) => {
    const {paint} = await import("/static/js/markdown.js");
    const node = document.getElementById("messages").appendChild(document.createElement("div"));
    paint(node, text, known);
    const found = [...node.querySelectorAll(":scope > .block *")];
    return found.map((each) => [each.localName, each.getAttributeNames(), each.protocol ?? ""]);
}"""
SOURCES = [{"n": 1, "question": "When?", "url": "/help/x"}]


def test_nasty_texts_become_harmless_elements(page: Page) -> None:
    for text in NASTY:
        for known in (SOURCES, None):
            for tag, attributes, protocol in page.evaluate(RENDER, {"text": text, "known": known}):
                assert tag in TAGS, text
                assert set(attributes) <= {"href", "title", "target", "rel", "class", "start"}, text
                assert protocol in {"", ":", "http:", "https:", "mailto:"}, text
    assert page.evaluate("window.pwned") is None


def test_citations_and_lists_look_like_the_servers(page: Page) -> None:
    found = page.evaluate(RENDER, {"text": "# T\\n\\nIn two days [1], not [2], `[1]`.", "known": SOURCES})
    cited = [attributes for tag, attributes, _protocol in found if tag == "a"]
    assert len(cited) == 1
    assert "href" in cited[0]


def test_a_visitors_markup_is_shown_as_it_is(page: Page) -> None:
    text = "<img src=x onerror='window.pwned = 1'><b>bold</b>"
    ask_and_read(page, text)
    for _load in range(2):
        expect(page.locator(".message[data-role=user] .body")).to_have_text(text)
        expect(page.locator(".message img, .message b")).to_have_count(0)
        page.reload()
    assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize(
    "path", ["/", "/help/", "/help/shipping-times", "/accounts/login/", "/accounts/signup/", "/nowhere"]
)
def test_pages_obey_their_policy(page: Page, live_system: LiveSystem, path: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(live_system.url + path)
    page.wait_for_load_state("networkidle")
    # Whoever writes at once has the focus before the page can give it.
    assert [text for text in complaints if "404" not in text and not text.startswith("Autofocus")] == []
    assert (
        page.locator("[style], script:not([src]):not([type='application/json'], [type='application/ld+json'])").count()
        == 0
    )


def test_the_admin_obeys_its_policy(page: Page, live_system: LiveSystem) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    _role, email, password = next(login for login in DEMO_LOGINS if login[0] == "admin")
    page.goto(f"{live_system.url}/accounts/login/?next=/admin/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in", exact=True).click()
    for path in ("/admin/", "/admin/faqs/faq/", "/admin/faqs/faq/add/", "/admin/accounts/user/"):
        page.goto(live_system.url + path)
        page.wait_for_load_state("networkidle")
    page.locator("#result_list input.action-select").first.check()
    expect(page.locator("#changelist-actions")).to_be_visible()
    assert page.locator("#changelist-actions").evaluate("element => element.style.width").endswith("px")
    assert complaints == []


def test_scripts_run_without_complaint_through_a_whole_chat(page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    ask_and_read(page)
    ask(page, "thanks")
    expect(page.locator(".message[data-role=assistant]:not([aria-busy])")).to_have_count(2, timeout=20_000)
    assert complaints == []
