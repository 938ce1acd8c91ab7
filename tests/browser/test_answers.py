"""A running and a finished answer: stopped, written again, judged, announced, and never lost."""

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.actions import (
    LAST_WORDS,
    QUESTION,
    SOURCE,
    ask,
    ask_and_read,
    replies,
    wait_for_first_words,
)
from tests.system import LiveSystem


def test_stop_keeps_what_was_shown(page: Page) -> None:
    ask(page)
    wait_for_first_words(page)
    page.get_by_role("button", name="Stop").click()
    stopped = replies(page, "stopped")
    expect(stopped).to_have_count(1)
    expect(stopped.get_by_text("Stopped", exact=True)).to_be_visible()
    expect(stopped.locator(".body")).to_contain_text("Orders")
    expect(stopped).not_to_contain_text(LAST_WORDS)
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


def test_regenerate_replaces_the_last_answer(page: Page) -> None:
    first = ask_and_read(page).get_attribute("data-id")
    page.get_by_role("button", name="Write this answer again").click()
    expect(page.locator(f"[data-id='{first}']")).to_have_count(0)
    expect(replies(page)).to_have_count(1)
    expect(replies(page).locator(".body")).to_contain_text(LAST_WORDS)


def test_feedback_with_a_reason(page: Page, live_system: LiveSystem) -> None:
    answer = ask_and_read(page)
    message_id = answer.get_attribute("data-id")
    answer.get_by_role("button", name="Not helpful").click()
    answer.get_by_role("textbox", name="What was wrong with it?").fill("Too vague")
    answer.get_by_role("button", name="Send").click()
    expect(page.locator("#toast")).to_contain_text("Thank you")
    kept = "SELECT value, reason FROM conversations_feedback WHERE message_id = %s"
    live_system.wait(lambda: live_system.rows(kept, message_id) == [("down", "Too vague")], "the verdict")
    page.reload()
    down = replies(page).get_by_role("button", name="Not helpful")
    expect(down).to_have_attribute("aria-pressed", "true")
    down.click()
    live_system.wait(lambda: live_system.rows(kept, message_id) == [], "the verdict to be taken back")


def test_an_answer_is_announced_once_and_not_while_it_is_written(page: Page) -> None:
    page.evaluate(
        """() => {
            window.spoken = [];
            const announcer = document.getElementById("announcer");
            new MutationObserver(() => window.spoken.push(announcer.textContent)).observe(announcer, {childList: true});
        }"""
    )
    ask(page)
    wait_for_first_words(page)
    writing = page.locator(".message[aria-busy]")
    assert writing.evaluate("node => node.closest('[aria-live], [role=status], [role=alert], [role=log]')") is None
    assert page.evaluate("window.spoken") == []
    expect(replies(page)).to_have_count(1)
    expect(page.locator("#announcer")).to_contain_text(LAST_WORDS)
    ask_and_read(page, "hello")
    spoken = page.evaluate("window.spoken")
    assert len(spoken) == 2
    assert "Orders placed" in spoken[0]


def test_an_outage_of_the_network_loses_nothing(page: Page, context: BrowserContext, live_system: LiveSystem) -> None:
    ask(page)
    wait_for_first_words(page)
    context.set_offline(True)
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    running = "SELECT 1 FROM conversations_message WHERE status IN ('queued', 'streaming') AND conversation_id = %s"
    conversation = page.url.rsplit("/", 1)[1]
    live_system.wait(lambda: not live_system.rows(running, conversation), "the answer to end unseen")
    ask(page, "hello")
    expect(page.get_by_text("Sending…")).to_be_visible()
    context.set_offline(False)
    expect(replies(page)).to_have_count(2)
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()
    expect(replies(page).first.locator(".body")).to_contain_text(LAST_WORDS)
    expect(page.locator(".message[data-role=user] .body")).to_have_text([QUESTION, "hello"])


def test_an_unsent_message_survives_a_restart_of_the_server_and_a_reload(page: Page, live_system: LiveSystem) -> None:
    ask_and_read(page, "hello")
    live_system.kill("web")
    ask(page)
    expect(page.get_by_text("Sending…")).to_be_visible()
    live_system.start("web")
    live_system.wait(lambda: live_system.get("/health").get("status") == "ok", "the web process")
    page.reload()
    expect(page.get_by_role("link", name=SOURCE)).to_have_count(1)
    expect(page.locator(".message[data-role=user]")).to_have_count(2)


def test_the_reader_keeps_the_place_while_an_answer_grows(page: Page) -> None:
    page.set_viewport_size({"width": 800, "height": 420})
    ask_and_read(page)
    ask(page)
    wait_for_first_words(page)
    scroller = page.locator("#scroller")
    scroller.evaluate("node => { node.scrollTop = 20; }")
    jump = page.get_by_role("button", name="Jump to the latest message")
    expect(jump).to_be_visible()
    expect(replies(page)).to_have_count(2)
    assert scroller.evaluate("node => node.scrollTop") == 20
    jump.click()
    expect(jump).to_be_hidden()
    assert scroller.evaluate("node => node.scrollHeight - node.scrollTop - node.clientHeight") < 2


def test_earlier_messages_come_without_moving_the_page(page: Page, live_system: LiveSystem) -> None:
    ask_and_read(page, "hello")
    conversation = page.url.rsplit("/", 1)[1]
    live_system.rows(
        """WITH numbered AS (
               UPDATE conversations_conversation SET last_seq = last_seq + 120 WHERE id = %s RETURNING id, last_seq - 120 AS seq
           ) INSERT INTO conversations_message (id, conversation_id, role, type, status, content, language, seq, position,
               attempt, owner_epoch, sources, tokens_used, model_used, metadata, created_at, updated_at)
           SELECT gen_random_uuid(), id, 'user', 'text', 'sent', 'Old message ' || n, 'en', seq + n, seq + n,
               0, 0, '[]', 0, '', '{}', now(), now()
           FROM numbered, generate_series(1, 120) n RETURNING 1""",
        conversation,
    )
    page.reload()
    messages = page.locator(".message")
    expect(messages).to_have_count(50)
    oldest = page.get_by_text("Old message 71", exact=True)
    oldest.evaluate("node => { node.closest('.scroller').scrollTop = 1; }")
    top = oldest.bounding_box()
    expect(messages).to_have_count(100)
    after = oldest.bounding_box()
    assert top
    assert after
    assert abs(top["y"] - after["y"]) < 3
    page.locator("#scroller").evaluate("node => { node.scrollTop = 1; }")
    expect(messages).to_have_count(122)
    expect(page.get_by_role("button", name="Earlier messages")).to_be_hidden()
