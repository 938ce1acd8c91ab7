"""`python -m deploy.shots [URL]`: pictures of the pages of a running Parley, in var/shots/: two widths, light and dark."""

import os
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from chatbot.demo import DEMO_LOGINS

ROOT = Path(__file__).resolve().parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {1280: 860, 390: 844}
SCHEMES = ("light", "dark")
QUESTIONS = ("When will my order arrive?", "How do I return an item?")
ANSWERED = ".message[data-role=assistant][data-status=sent]"


def chat(page: Page, url: str, name: str) -> None:
    """The empty chat, a running answer, a finished conversation, and its menus."""
    page.goto(url)
    shoot(page, f"{name}-new")
    for number, question in enumerate(QUESTIONS):
        page.get_by_role("textbox", name="Your message").fill(question)
        page.keyboard.press("Enter")
        if number == 0:
            page.locator(".message[aria-busy]").wait_for()
            shoot(page, f"{name}-streaming")
        page.locator(ANSWERED).nth(number).wait_for(timeout=30_000)
    shoot(page, f"{name}-answered")
    page.locator("[data-act=down]").last.click()
    shoot(page, f"{name}-feedback")
    if page.locator("#drawer-open").is_visible():
        page.locator("#drawer-open").click()
    page.locator(".conversation .options").first.click()
    page.locator(".menu.placed").wait_for()
    shoot(page, f"{name}-menu")
    page.locator("[data-do=delete]:visible").click()
    shoot(page, f"{name}-delete")


def pages(page: Page, url: str, name: str) -> None:
    paths = {
        "help": "/help/",
        "login": "/accounts/login/",
        "missing": "/nowhere",
    }
    paths |= {"signup": "/accounts/signup/", "search": "/chat/search?q=order", "reset": "/accounts/password/reset/"}
    for title, path in paths.items():
        page.goto(url + path)
        shoot(page, f"{name}-{title}")
    page.goto(f"{url}/help/")
    page.locator(".help-list li a").first.click()
    shoot(page, f"{name}-article")


def staff(page: Page, url: str, name: str) -> None:
    """The admin's pages, as the demo's administrator."""
    _role, email, password = DEMO_LOGINS[-1]
    page.goto(f"{url}/accounts/login/?next=/admin/")
    page.locator("#id_login").fill(email)
    page.locator("#id_password").fill(password)
    page.locator("#id_password").press("Enter")
    page.wait_for_url(f"{url}/admin/")
    shoot(page, f"{name}-admin")
    for title, path in {
        "faqs": "faqs/faq/",
        "golden": "faqs/goldenquestion/",
        "links": "faqs/linkcheck/",
        "conversations": "conversations/conversation/",
        "people": "accounts/user/",
    }.items():
        page.goto(f"{url}/admin/{path}")
        shoot(page, f"{name}-admin-{title}")
    page.goto(f"{url}/admin/faqs/faq/ask/?question=how+long+does+shipping+take&language=en")
    shoot(page, f"{name}-admin-ask")
    page.goto(f"{url}/admin/faqs/faq/")
    page.goto(f"{url}{page.locator('#result_list tbody th a').first.get_attribute('href')}")
    shoot(page, f"{name}-admin-faq")
    page.get_by_role("link", name="Versions and history").click()
    shoot(page, f"{name}-admin-versions")


def shoot(page: Page, name: str) -> None:
    page.screenshot(path=directory() / f"{name}.png")


def directory() -> Path:
    path = Path(os.environ.get("PARLEY_VAR", ROOT / "var")) / "shots"
    path.mkdir(parents=True, exist_ok=True)
    return path


def all_of(browser: Browser, url: str) -> None:
    for width, height in WIDTHS.items():
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
                has_touch=width < 500,
                locale="en-GB",
                reduced_motion="reduce",
            )
            page = context.new_page()
            chat(page, url, f"{width}-{scheme}-chat")
            pages(page, url, f"{width}-{scheme}")
            staff(page, url, f"{width}-{scheme}")
            context.close()


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else f"http://127.0.0.1:{os.environ.get('PORT', '8000')}"
    path = shutil.which("chromium")
    if path is None:
        sys.exit("Pictures need Chromium: install it (Debian: apt-get install chromium).")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        all_of(browser, url.rstrip("/"))
        browser.close()
    print(f"{len(list(directory().glob('*.png')))} pictures in {directory()}")


if __name__ == "__main__":
    main()
