"""A passkey, from its making to signing in with nothing else, with a virtual authenticator of the browser."""

from playwright.sync_api import BrowserContext, Page, expect

from tests.system import LiveSystem

EMAIL, PASSWORD = "passkey@example.com", "correct horse battery"


def with_authenticator(context: BrowserContext) -> Page:
    """A page of a browser that holds passkeys and confirms each use."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    options |= {"isUserVerified": True, "automaticPresenceSimulation": True}
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return page


def test_a_passkey_signs_in_without_a_password(context: BrowserContext, live_system: LiveSystem) -> None:
    # A passkey belongs to a name, not to a number.
    url = live_system.url.replace("127.0.0.1", "localhost")
    page = with_authenticator(context)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{url}/accounts/signup/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign up").click()
    page.wait_for_url(f"{url}/")
    live_system.rows("UPDATE account_emailaddress SET verified = true WHERE email = %s RETURNING id", EMAIL)

    page.goto(f"{url}/accounts/2fa/webauthn/add/")
    if "reauthenticate" in page.url:
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Passwordless").check()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_text("recovery codes", exact=False).first).to_be_visible()
    page.goto(f"{url}/accounts/logout/")
    page.get_by_role("main").get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{url}/")

    page.goto(f"{url}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url(f"{url}/")
    page.goto(f"{url}/accounts/")
    expect(page.get_by_text(EMAIL)).to_be_visible()
    assert [text for text in complaints if "Content Security Policy" in text] == []
