"""An editor and a reviewer bring a new text to the visitors, and back."""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Page, expect

from chatbot.demo import DEMO_LOGINS
from tests.browser.actions import QUESTION, SOURCE, ask_and_read
from tests.system import LiveSystem

PASSWORDS = {role: (email, password) for role, email, password in DEMO_LOGINS}
SPARE_PARTS = "Do you sell spare parts?"
NEW = "Every order is flown in by a drone within 45 minutes."


def sign_in(browser: Browser, system: LiveSystem, role: str) -> Page:
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(f"{system.url}/accounts/login/?next=/admin/faqs/faq/")
    enter(page, role)
    page.wait_for_url("**/admin/faqs/faq/")
    return page


def enter(page: Page, role: str) -> None:
    email, password = PASSWORDS[role]
    page.locator("#id_login").fill(email)
    page.locator("#id_password").fill(password)
    page.locator("#id_password").press("Enter")


def kept(page: Page) -> list[str]:
    """What this browser keeps of FAQs."""
    return list(page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('parley.faq.'))"))


def add_faq(page: Page, question: str) -> None:
    """Fill in the page of a new FAQ."""
    page.goto(f"{page.url.partition('/admin/')[0]}/admin/faqs/faq/add/")
    page.wait_for_load_state()
    page.locator("#id_question").fill(question)
    page.locator("#id_answer").fill("In the hall.")
    page.locator("#id_category").select_option(index=1)


def open_faq(page: Page, question: str) -> None:
    """Each test has a FAQ of its own."""
    page.goto(f"{page.url.partition('/admin/')[0]}/admin/faqs/faq/?{urlencode({'q': question})}")
    page.get_by_role("link", name=question).first.click()
    expect(page.get_by_label("Where this FAQ stands")).to_be_visible()
    # The scripts that listen to what is written have run by then.
    page.wait_for_load_state()


@pytest.fixture
def editor(browser: Browser, live_system: LiveSystem) -> Iterator[Page]:
    page = sign_in(browser, live_system, "editor")
    yield page
    page.context.close()


@pytest.fixture
def reviewer(browser: Browser, live_system: LiveSystem) -> Iterator[Page]:
    page = sign_in(browser, live_system, "reviewer")
    yield page
    page.context.close()


def test_draft_review_publish_ask_and_back(page: Page, editor: Page, reviewer: Page) -> None:
    open_faq(editor, SOURCE)
    expect(editor.get_by_role("button", name="Publish", exact=True)).to_have_count(0)
    editor.locator("#id_answer").fill(NEW)
    editor.get_by_label("Comment").fill("Drones are here")
    editor.get_by_role("button", name="Submit for review").click()
    expect(editor.get_by_text("Next version: In review")).to_be_visible()
    expect(ask_and_read(page, QUESTION)).not_to_contain_text("drone")

    open_faq(reviewer, SOURCE)
    reviewer.get_by_role("link", name="Compare with the published version").click()
    expect(reviewer.locator("ins", has_text="drone")).to_be_visible()
    reviewer.go_back()
    reviewer.get_by_role("button", name="Publish", exact=True).click()
    expect(reviewer.get_by_text("Visitors find the change now.")).to_be_visible()
    answer = ask_and_read(page, QUESTION)
    expect(answer.locator(".body")).to_contain_text(NEW)
    expect(answer.get_by_role("link", name=SOURCE)).to_be_visible()

    reviewer.get_by_role("link", name=SOURCE, exact=True).click()
    reviewer.get_by_role("link", name="Versions and history").click()
    expect(reviewer.get_by_text("Drones are here")).to_be_visible()
    reviewer.get_by_role("button", name="Publish again").click()
    expect(reviewer.get_by_text("Visitors find the change now.")).to_be_visible()
    answer = ask_and_read(page, QUESTION)
    expect(answer.locator(".body")).to_contain_text("warehouse in Rotterdam")
    expect(answer.get_by_role("link", name=SOURCE)).to_be_visible()


def test_stealing_a_golden_question_is_blocked(editor: Page, reviewer: Page) -> None:
    """Another FAQ's golden question as a phrasing: nothing is published, and the page says which question suffers."""
    open_faq(editor, SPARE_PARTS)
    editor.locator("#id_question").fill("Can I use my Visa card")
    editor.locator("#id_answer").fill("No.")
    editor.get_by_role("button", name="Submit for review").click()
    expect(editor.get_by_text("Next version: In review")).to_be_visible()
    open_faq(reviewer, SPARE_PARTS)
    reviewer.get_by_role("button", name="Publish", exact=True).click()
    expect(reviewer.get_by_text("Nothing was changed")).to_be_visible()
    worse = reviewer.get_by_role("row").filter(has_text="Worse").filter(has_text="can I use my Visa card")
    expect(worse).to_contain_text("Which payment methods do you accept?")
    expect(reviewer.get_by_role("button", name="Publish all the same")).to_have_count(0)


def test_what_was_written_survives_a_lost_connection_a_reload_and_a_colleague(editor: Page, reviewer: Page) -> None:
    open_faq(editor, "Can I cancel my order?")
    editor.get_by_role("link", name="German").click()
    answer = editor.locator("#id_answer")
    answer.fill("Morgen, mit dem Fahrrad.")
    expect(editor.get_by_text("Saved by itself at")).to_be_visible()
    editor.context.set_offline(True)
    answer.fill("Morgen, mit der Bahn.")
    expect(editor.get_by_text("No connection.")).to_be_visible()
    editor.context.set_offline(False)
    expect(editor.get_by_text("Saved by itself at")).to_be_visible()

    # A crash of the page right after a key: what was typed is in the browser, and comes back.
    editor.evaluate("() => { window.fetch = () => new Promise(() => {}); }")
    answer.fill("Morgen, mit dem Schiff.")
    editor.reload()
    expect(answer).to_have_value("Morgen, mit dem Schiff.")
    expect(editor.get_by_text("This is what you wrote before")).to_be_visible()
    expect(editor.get_by_text("Saved by itself at")).to_be_visible()

    reviewer.goto(editor.url)
    reviewer.locator("#id_answer").fill("Nie.")
    reviewer.keyboard.press("Control+s")
    expect(reviewer.get_by_text("Visitors see it once it is published.").first).to_be_visible()
    answer.fill("Doch morgen.")
    expect(editor.get_by_text("Somebody else saved this FAQ")).to_be_visible()
    editor.keyboard.press("Control+s")
    expect(editor.locator("del", has_text="Nie")).to_be_visible()
    expect(answer).to_have_value("Doch morgen.")
    editor.keyboard.press("Control+s")
    expect(editor.locator(".conflict")).to_have_count(0)
    expect(answer).to_have_value("Doch morgen.")


def test_what_is_saved_is_not_kept_in_the_browser_as_well(editor: Page) -> None:
    add_faq(editor, "Where do I leave my coat?")
    assert len(kept(editor)) == 1
    editor.keyboard.press("Control+s")
    expect(editor.get_by_text("Visitors see it once it is published.").first).to_be_visible()
    editor.goto(f"{editor.url.partition('/admin/')[0]}/admin/faqs/faq/add/")
    editor.wait_for_load_state()
    expect(editor.locator("#id_question")).to_have_value("")

    # The server brings some of what is written into an order of its own.
    open_faq(editor, "Do you match prices?")
    editor.locator("#id_phrasings").fill("Zero prices?\n\nAny prices? ")
    editor.keyboard.press("Control+s")
    expect(editor.get_by_text("Visitors see it once it is published.").first).to_be_visible()
    expect(editor.locator("#id_phrasings")).to_have_value("Any prices?\nZero prices?")
    editor.wait_for_load_state()
    assert kept(editor) == []
    expect(editor.get_by_text("a newer text was saved since")).to_have_count(0)

    # A page that can only be read has no form, and drops it all the same.
    editor.locator("#id_answer").fill("We do.")
    editor.get_by_role("button", name="Submit for review").click()
    expect(editor.get_by_text("Next version: In review")).to_be_visible()
    editor.wait_for_load_state()
    assert kept(editor) == []


def test_what_goes_through_the_gate_at_once_is_not_kept_in_the_browser(editor: Page) -> None:
    open_faq(editor, "Are you hiring?")
    editor.locator("#id_answer").fill("Not now.")
    editor.get_by_role("button", name="Try the golden questions").click()
    expect(editor.locator("#run")).to_be_visible()
    editor.wait_for_load_state()
    assert kept(editor) == []


def test_what_was_sent_after_the_session_ended_is_kept(editor: Page) -> None:
    add_faq(editor, "Where do I park?")
    editor.context.clear_cookies(name="sessionid")
    editor.keyboard.press("Control+s")
    editor.wait_for_url("**/accounts/login/**")
    enter(editor, "editor")
    editor.wait_for_url("**/admin/faqs/faq/add/")
    expect(editor.locator("#id_question")).to_have_value("Where do I park?")
    expect(editor.get_by_text("This is what you wrote before")).to_be_visible()


def test_signing_in_again_in_another_tab_goes_on_saving(editor: Page) -> None:
    open_faq(editor, "Do you have a loyalty programme?")
    editor.context.clear_cookies(name="sessionid")
    editor.locator("#id_answer").fill("We have.")
    expect(editor.get_by_text("You are signed out.")).to_be_visible()
    other = editor.context.new_page()
    other.goto(f"{editor.url.partition('/admin/')[0]}/accounts/login/?next=/admin/faqs/faq/")
    enter(other, "editor")
    other.wait_for_url("**/admin/faqs/faq/")
    expect(editor.get_by_text("Saved by itself at")).to_be_visible()


def test_what_is_written_after_a_conflict_is_kept_in_the_browser(editor: Page, reviewer: Page) -> None:
    open_faq(editor, "How do gift cards work?")
    reviewer.goto(editor.url)
    reviewer.locator("#id_answer").fill("Well.")
    reviewer.keyboard.press("Control+s")
    expect(reviewer.get_by_text("Visitors see it once it is published.").first).to_be_visible()
    answer = editor.locator("#id_answer")
    answer.fill("Badly.")
    expect(editor.get_by_text("Somebody else saved this FAQ")).to_be_visible()
    answer.fill("Not at all.")
    editor.reload()
    expect(editor.get_by_text("a newer text was saved since")).to_be_visible()
    editor.get_by_role("button", name="Compare the two").click()
    expect(editor.locator("del", has_text="Well")).to_be_visible()
    expect(answer).to_have_value("Not at all.")


def test_duplicates_are_named_while_typing(editor: Page) -> None:
    open_faq(editor, "How do I find my size?")
    editor.locator("#id_question").fill("What does delivery cost?")
    expect(editor.locator("#similar").get_by_role("link", name="How much is delivery?")).to_be_visible()
