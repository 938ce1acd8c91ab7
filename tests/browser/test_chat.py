"""The chat page in a real browser, on a live system with demo content."""

import json
import re
from collections import Counter

from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from deploy.tests.processes import until
from tests.browser.actions import SOURCE, Frame, ask, ask_and_read, between
from tests.system import LiveSystem


def test_a_guest_gets_a_streamed_answer_whose_source_opens(page: Page, context: BrowserContext) -> None:
    page.evaluate(
        """() => {
            window.lengths = new Set();
            new MutationObserver(() => window.lengths.add(document.querySelector('main').innerText.length))
                .observe(document.querySelector('main'), {subtree: true, childList: true, characterData: true});
        }"""
    )
    ask(page)
    link = page.get_by_role("link", name=SOURCE)
    expect(link).to_be_visible()
    assert page.evaluate("window.lengths.size") > 5
    expect(page.locator("main")).to_contain_text("working days")
    with context.expect_page() as opened:
        link.click()
    expect(opened.value.get_by_role("heading", level=1)).to_have_text(SOURCE)


def test_reloading_in_the_middle_loses_and_repeats_nothing(page: Page) -> None:
    ask(page)
    expect(page.locator("main")).to_contain_text("Orders placed")
    page.reload()
    expect(page.get_by_role("link", name=SOURCE)).to_have_count(1)
    expect(page.locator("main").get_by_text("You get a tracking link")).to_have_count(1)


def test_losing_the_network_in_the_middle_loses_nothing(page: Page, context: BrowserContext) -> None:
    ask(page)
    expect(page.locator("main")).to_contain_text("Orders placed")
    context.set_offline(True)
    ask(page, "thanks!")
    context.set_offline(False)
    expect(page.locator("main")).to_contain_text("You're welcome")
    expect(page.get_by_role("link", name=SOURCE)).to_have_count(1)


def test_two_tabs_show_the_same_conversation(page: Page, context: BrowserContext) -> None:
    ask(page, "hello")
    expect(page.locator("main")).to_contain_text("What would you like to know")
    other = context.new_page()
    other.goto(page.url)
    ask(page)
    expect(other.get_by_role("link", name=SOURCE)).to_be_visible()
    expect(page.get_by_role("link", name=SOURCE)).to_be_visible()


def test_a_first_message_that_is_here_before_its_ack_opens_the_conversation(page: Page) -> None:
    acks: list[Frame] = []

    def later(line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] == "ack":
            acks.append(frame)
            return False
        if frame["type"] == "message" and frame["role"] == "user" and acks:
            line.send(json.dumps(frame))
            line.send(json.dumps(acks.pop()))
            return False
        return True

    between(page, later)
    page.reload()
    ask_and_read(page, "hello")
    expect(page).to_have_url(re.compile("/chat/"))
    ask_and_read(page, "thanks")
    expect(page.locator(".message[data-role=user] .body")).to_have_text(["hello", "thanks"])


def test_after_a_first_message_that_was_refused_another_one_opens_the_conversation(page: Page) -> None:
    def refuse(line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] != "message" or frame["content"] != "no":
            return True
        error = {"type": "error", "code": "invalid", "message": "Not this.", "client_id": frame["client_id"]}
        line.send(json.dumps(error))
        return False

    between(page, from_page=refuse)
    page.reload()
    ask(page, "no")
    page.get_by_role("button", name="Edit").click()
    ask_and_read(page, "hello")
    expect(page.locator(".message[data-role=user] .body")).to_have_text(["hello"])


def test_a_sync_that_the_server_could_not_answer_is_sent_again(page: Page) -> None:
    ask_and_read(page, "hello")
    asked = Counter[bool]()

    def unavailable_once(line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] != "sync":
            return True
        of_list = "conversation_id" not in frame
        asked[of_list] += 1
        if asked[of_list] == 1:
            where = {} if of_list else {"conversation_id": frame["conversation_id"]}
            line.send(json.dumps({"type": "error", "code": "unavailable", "message": "Not now."} | where))
        return asked[of_list] > 1

    between(page, from_page=unavailable_once)
    page.reload()
    page.wait_for_timeout(1_000)
    assert asked == {True: 1, False: 1}
    expect(page.locator("#toast")).to_have_text("")
    page.wait_for_timeout(6_000)
    assert asked == {True: 2, False: 2}


def test_a_message_that_was_missed_is_asked_for_until_it_is_here(page: Page) -> None:
    ask_and_read(page, "hello")
    missed: list[Frame] = []
    synced: list[Frame] = []
    away = [True]

    def lossy(_line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] == "synced" and frame["conversation_id"]:
            synced.append(frame)
        if frame["type"] == "message" and frame["role"] == "user" and frame["content"] == "thanks" and away:
            missed.append(frame)
            return False
        return True

    def unavailable(line: WebSocketRoute, frame: Frame) -> bool:
        if frame["type"] != "sync" or "conversation_id" not in frame or not (missed and away):
            return True
        where = {"conversation_id": frame["conversation_id"]}
        line.send(json.dumps({"type": "error", "code": "unavailable", "message": "Not now."} | where))
        return False

    between(page, lossy, unavailable)
    page.reload()
    # A sync that was asked for before would bring the message; that one is not lost on a line that brings what follows it.
    until(lambda: page.evaluate("true") and synced, "the page's sync")
    ask_and_read(page, "thanks")
    page.wait_for_timeout(2_000)
    away.clear()
    stored = page.locator(".message[data-role=user]:not(.unacknowledged) .body")
    expect(stored).to_have_text(["hello", "thanks"])


def test_a_page_that_was_asked_for_before_its_guest_was_made_keeps_what_was_written(
    page: Page, browser: Browser, live_system: LiveSystem
) -> None:
    page.route_web_socket("**/api/v1/chat/ws/*", lambda line: line.close(code=1011))
    ask(page, "hello")
    # Playwright's own way of waiting evaluates in the page, which forbids it.
    until(lambda: page.evaluate("localStorage.getItem('parley:owner')"), "a guest")
    of_nobody = browser.new_context().request.get(live_system.url)
    page.route(f"{live_system.url}/", lambda route: route.fulfill(response=of_nobody))
    page.reload()
    expect(page.locator(".message[data-role=user] .body")).to_have_text(["hello"])


def test_nothing_runs_over_the_edge_of_a_phone(browser: Browser, live_system: LiveSystem) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark", locale="en-GB")
    page = context.new_page()
    page.goto(live_system.url)
    ask(page, "word" * 200)
    expect(page.locator("main")).to_contain_text("wordword")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    # The line has ended, and the way on can be pressed.
    page.route_web_socket("**/api/v1/chat/ws/*", lambda line: line.close(code=4403))
    page.reload()
    reload = page.get_by_role("link", name="Reload the page")
    expect(reload).to_be_in_viewport(ratio=1)
    title = page.get_by_role("heading", level=1).bounding_box()
    assert title
    assert title["width"] > 100
    context.close()
