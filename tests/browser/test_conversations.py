"""The list of conversations, the keyboard alone, the drawer on a phone, and an account."""

import json
import re

from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from deploy.tests.processes import until
from tests.browser.actions import Frame, ask_and_read, between, box, replies
from tests.system import LiveSystem


def choose(page: Page, item: str) -> None:
    """Pick something from the menu of the open conversation."""
    page.locator(".conversation:has([aria-current]) .options").click()
    page.locator(".menu.placed").get_by_role("button", name=item).click()


def test_rename_archive_and_bring_back(page: Page, context: BrowserContext) -> None:
    ask_and_read(page, "hello")
    other = context.new_page()
    other.goto(page.url)
    choose(page, "Rename")
    page.keyboard.type("My parcel")
    page.keyboard.press("Enter")
    for tab in (page, other):
        expect(tab.get_by_role("heading", level=1)).to_have_text("My parcel")
        expect(tab).to_have_title(re.compile("^My parcel"))
        expect(tab.locator(".conversation")).to_have_text(re.compile("My parcel"))
    choose(page, "Archive")
    for tab in (page, other):
        expect(tab.locator(".conversation")).to_have_count(0)
    page.get_by_role("link", name="Archived conversations").click()
    expect(page.locator(".conversation")).to_have_count(1)
    choose(page, "Move back")
    expect(page.locator(".conversation")).to_have_count(0)
    page.get_by_role("link", name="Back to your conversations").click()
    expect(page.locator(".conversation")).to_have_count(1)


def test_what_comes_late_undoes_nothing(page: Page) -> None:
    """A worker that gave the title may tell of it after the visitor has chosen another, or archived the conversation."""
    lines: list[WebSocketRoute] = []
    told: list[Frame] = []

    def note(line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] == "conversation" and frame["title"]:
            lines.append(line)
            told.append(frame)
        return True

    def tell_first_again(*, after: int, marker: str) -> None:
        until(lambda: page.evaluate("true") and told[-1]["revision"] == after, "the change to be told of")
        lines[-1].send(json.dumps(told[0]))
        lines[-1].send(json.dumps({"type": "error", "code": "invalid", "message": marker}))
        expect(page.get_by_text(marker)).to_be_visible()

    between(page, note)
    page.reload()
    ask_and_read(page, "hello")
    title = page.get_by_role("heading", level=1)
    expect(title).to_have_text("hello")
    choose(page, "Rename")
    page.keyboard.type("My parcel")
    page.keyboard.press("Enter")
    expect(title).to_have_text("My parcel")
    tell_first_again(after=2, marker="The title is behind.")
    expect(title).to_have_text("My parcel")
    expect(page.locator(".conversation")).to_have_text(re.compile("My parcel"))
    choose(page, "Archive")
    expect(page.locator(".conversation")).to_have_count(0)
    tell_first_again(after=3, marker="The archive is behind.")
    expect(page.locator(".conversation")).to_have_count(0)


def test_delete_asks_first(page: Page) -> None:
    ask_and_read(page, "hello")
    address = page.url
    choose(page, "Delete")
    page.get_by_role("button", name="Keep it").click()
    expect(page.locator(".conversation")).to_have_count(1)
    choose(page, "Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
    expect(page.locator(".conversation")).to_have_count(0)
    assert page.goto(address).status == 404  # type: ignore[union-attr]


def test_search_finds_titles_and_texts(page: Page) -> None:
    ask_and_read(page, "hello")
    page.get_by_role("link", name="New chat").first.click()
    ask_and_read(page)
    expect(page.locator(".conversation")).to_have_count(2)
    search = page.get_by_role("searchbox", name="Search your conversations")
    search.fill("warehouse")
    expect(page.get_by_role("heading", name="Search results")).to_be_visible()
    expect(page.locator(".conversation")).to_have_count(1)
    expect(page.locator(".conversation .snippet")).to_contain_text("warehouse")
    search.fill("no such thing")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    search.fill("")
    expect(page.locator(".conversation")).to_have_count(2)


def test_back_and_forward_show_the_right_conversation(page: Page) -> None:
    ask_and_read(page, "hello")
    first = page.url
    page.get_by_role("link", name="New chat").first.click()
    expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(first)
    expect(replies(page)).to_have_count(1)
    page.go_forward()
    expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of that accessible name has the focus."""
    named = """() => {
        const node = document.activeElement;
        return node === document.body ? "" : (node.getAttribute("aria-label") ?? node.innerText ?? "");
    }"""
    for _press in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(named).strip().startswith(name):
            return
    raise AssertionError(f"Tab does not reach {name}")


def test_everything_by_keyboard(page: Page) -> None:
    tab_to(page, "Skip to the message box")
    page.keyboard.press("Enter")
    expect(box(page)).to_be_focused()
    page.keyboard.type("hello")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("there")
    expect(box(page)).to_have_value("hello\nthere")
    page.keyboard.press("Enter")
    expect(replies(page)).to_have_count(1)
    expect(box(page)).to_be_focused()
    tab_to(page, "Options for")
    page.keyboard.press("Enter")
    expect(page.locator(".menu.placed")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    expect(page.locator(".menu.placed")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Rename")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.type("By hand")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("By hand")
    tab_to(page, "Helpful")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")


def test_a_draft_is_kept_per_conversation(page: Page, live_system: LiveSystem) -> None:
    ask_and_read(page, "hello")
    address = page.url
    box(page).fill("half a thought")
    page.goto(live_system.url)
    expect(box(page)).to_have_value("")
    page.goto(address)
    expect(box(page)).to_have_value("half a thought")


def test_a_message_over_the_limit_is_counted_and_not_sent(page: Page) -> None:
    box(page).fill("x" * 4001)
    expect(page.locator("#counter")).to_have_text("4,001 / 4,000")
    box(page).press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("at most 4,000 characters")
    expect(page.locator(".message")).to_have_count(0)


def test_the_drawer_on_a_phone(browser: Browser, live_system: LiveSystem) -> None:
    context = browser.new_context(
        viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True, locale="en-GB"
    )
    page = context.new_page()
    page.goto(live_system.url)
    ask_and_read(page)
    sidebar = page.get_by_role("complementary", name="Conversations")
    expect(sidebar).to_be_hidden()
    page.get_by_role("button", name="Open the list of conversations").click()
    expect(sidebar).to_be_visible()
    expect(page.get_by_role("button", name="Close the list")).to_be_focused()
    page.keyboard.press("Escape")
    expect(sidebar).to_be_hidden()
    expect(page.get_by_role("button", name="Open the list of conversations")).to_be_focused()
    for path in ("", "/help/", "/accounts/login/", "/accounts/signup/", "/chat/search?q=x", "/nowhere"):
        page.goto(live_system.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
    too_small = """() => [...document.querySelectorAll('main button, main a')]
        .filter(node => node.checkVisibility({opacityProperty: true, visibilityProperty: true}) && !node.closest('.body, p'))
        .map(node => [node.outerHTML.slice(0, 80), node.getBoundingClientRect()])
        .filter(([, box]) => box.width < 44 || box.height < 44).map(([html]) => html)"""
    page.go_back()
    page.goto(live_system.url)
    assert page.evaluate(too_small) == []
    context.close()


def test_signing_in_keeps_what_was_asked_and_signing_out_forgets(page: Page) -> None:
    ask_and_read(page, "hello")
    box(page).fill("a secret draft")
    address = page.url
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("Email").fill("user@example.com")
    page.get_by_label("Password").fill("demo-user-2026")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.goto(address)
    expect(replies(page)).to_have_count(1)
    expect(box(page)).to_have_value("a secret draft")
    page.get_by_role("button", name="user@example.com").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    expect(page.locator(".conversation")).to_have_count(0)
    assert page.evaluate("Object.keys(localStorage).filter(key => key.includes('draft'))") == []


def test_starters_ask_at_once(page: Page) -> None:
    starter = page.locator(".starter").first
    text = starter.inner_text()
    starter.click()
    expect(page.locator(".message[data-role=user] .body")).to_have_text(text)
    expect(replies(page)).to_have_count(1)


def test_a_question_back_offers_what_it_means(page: Page) -> None:
    ask_and_read(page, "delivery")
    offers = page.get_by_role("group", name="Suggested questions").get_by_role("button")
    expect(offers).to_have_count(2)
    text = offers.first.inner_text()
    offers.first.click()
    expect(page.locator(".message[data-role=user] .body").last).to_have_text(text)
    expect(replies(page)).to_have_count(2)
    expect(offers).to_have_count(0)


def test_a_german_visitor_gets_german_answers_on_english_pages(browser: Browser, live_system: LiveSystem) -> None:
    """Not pages that are half of each, and every text says what it is in."""
    context = browser.new_context(locale="de-DE")
    page = context.new_page()
    page.goto(live_system.url)
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_role("heading", name="How can we help?")).to_be_visible()
    starter = page.locator(".starter").first
    expect(starter).to_have_text("Wie lange dauert die Lieferung?")
    expect(starter).to_have_attribute("lang", "de")
    starter.click()
    expect(replies(page)).to_have_count(1)
    expect(replies(page).locator(".body")).to_have_attribute("lang", "de")
    expect(replies(page).locator(".sources .q").first).to_have_attribute("lang", "de")
    page.goto(f"{live_system.url}/help/")
    expect(page.get_by_role("link", name="Wann kommt meine Bestellung an?")).to_have_attribute("lang", "de")
    page.goto(f"{live_system.url}/accounts/login/")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.get_by_label("Password")).to_be_visible()
    context.close()
