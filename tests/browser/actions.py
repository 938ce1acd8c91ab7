"""What a visitor does on the chat page, in a sentence each."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, WebSocketRoute, expect

Frame = dict[str, Any]

# The demo FAQ that answers QUESTION, and the last words of its answer.
QUESTION = "how long does shipping take?"
SOURCE = "When will my order arrive?"
LAST_WORDS = "as soon as the parcel is on its way"
PATIENCE_MS = 20_000
# Nothing waits longer than its condition; a busy machine may need more than the 5 s that are usual.
expect.set_options(timeout=PATIENCE_MS)


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Your message")


def ask(page: Page, text: str = QUESTION) -> None:
    box(page).fill(text)
    box(page).press("Enter")


def replies(page: Page, status: str = "sent") -> Locator:
    return page.locator(f".message[data-role=assistant][data-status={status}]")


def ask_and_read(page: Page, text: str = QUESTION) -> Locator:
    """Ask, wait for the whole answer, and return it."""
    before = replies(page).count()
    ask(page, text)
    expect(replies(page)).to_have_count(before + 1)
    return replies(page).last


def wait_for_first_words(page: Page) -> None:
    expect(page.locator(".message[aria-busy] .body")).not_to_be_empty()


def between(
    page: Page,
    from_server: Callable[[WebSocketRoute, Frame], bool] = lambda _line, _frame: True,
    from_page: Callable[[WebSocketRoute, Frame], bool] = lambda _line, _frame: True,
) -> None:
    """Stand between the sockets of `page` and the server: a frame goes on when its function says so."""

    def line(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()

        def answered(text: str | bytes) -> None:
            if from_server(page_side, json.loads(text)):
                page_side.send(text)

        def asked(text: str | bytes) -> None:
            if from_page(page_side, json.loads(text)):
                server_side.send(text)

        server_side.on_message(answered)
        page_side.on_message(asked)

    page.route_web_socket("**/api/v1/chat/ws/*", line)
