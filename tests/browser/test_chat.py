"""The chat page in a real browser, on a live system with demo content."""

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.actions import SOURCE, ask
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


def test_nothing_runs_over_the_edge_of_a_phone(browser: Browser, live_system: LiveSystem) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark", locale="en-GB")
    page = context.new_page()
    page.goto(live_system.url)
    ask(page, "word" * 200)
    expect(page.locator("main")).to_contain_text("wordword")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
