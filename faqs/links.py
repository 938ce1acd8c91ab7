"""Checks where the links of published answers lead, without letting an answer reach into the network that this runs in.

Links to this site are looked up in its own addresses and never fetched. Others are fetched only from public internet addresses, which
is checked where the connection is made, so that a name cannot change in between; redirects are checked like the first address.
"""

import asyncio
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import aiohttp
from django.conf import settings
from django.urls import Resolver404, resolve
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from .models import FAQ, LinkCheck
from .public_web import NotPublic, PublicResolver, refuse_private

Status = LinkCheck.Status
SECONDS = 10
REDIRECTS = 5
AT_ONCE = 5
LONGEST = 2000
# What an address answers that may well be there for a person with a browser.
UNSURE = frozenset({401, 403, 405, 407, 408, 425, 429})


@dataclass(frozen=True)
class Found:
    status: str
    code: int | None = None
    detail: str = ""


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get("href") if tag == "a" else None
        if (
            address
            and len(address) <= LONGEST
            and urlsplit(address).scheme in ("", "http", "https")
            and address[0] != "#"
        ):
            self.found.append(address)


def links_of(answer: str) -> list[str]:
    """The different web addresses that visitors can click in an answer."""
    parser = _Links()
    parser.feed(import_string(settings.MARKDOWN_RENDERER)(answer))
    return list(dict.fromkeys(parser.found))


def check(addresses: list[str]) -> dict[str, Found]:
    """How each address answers."""
    own = {address: _own(address) for address in addresses if is_own(address)}
    return own | asyncio.run(_check_all([address for address in addresses if address not in own]))


def is_own(address: str) -> bool:
    """Whether an address is one of this site."""
    host = urlsplit(address).hostname
    return host is None or host in settings.ALLOWED_HOSTS


def _own(address: str) -> Found:
    try:
        match = resolve(urlsplit(address).path or "/")
    except Resolver404:
        return Found(Status.BROKEN, 404, _("This site has no such page."))
    slug = match.kwargs.get("slug") if match.view_name == "faqs:article" else None
    if slug and not FAQ.objects.published().filter(slug=slug).exists():  # type: ignore[attr-defined]
        return Found(Status.BROKEN, 404, _("No published FAQ has this address."))
    return Found(Status.OK)


async def _check_all(addresses: list[str]) -> dict[str, Found]:
    at_once = asyncio.Semaphore(AT_ONCE)
    headers = {"User-Agent": f"{settings.SITE_NAME} link check"}
    connector = aiohttp.TCPConnector(resolver=PublicResolver())
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def one(address: str) -> Found:
            async with at_once:
                return await _answer(session, address)

        return dict(zip(addresses, await asyncio.gather(*map(one, addresses)), strict=True))


async def _answer(session: aiohttp.ClientSession, address: str) -> Found:
    try:
        async with asyncio.timeout(SECONDS):
            return judged(await _final_code(session, address))
    except NotPublic:
        return Found(Status.REFUSED, None, _("It leads into a private network; visitors cannot open it."))
    except TimeoutError:
        return Found(Status.UNSURE, None, _("No answer within %d seconds.") % SECONDS)
    except aiohttp.ClientConnectorDNSError as error:
        if isinstance(error.os_error, NotPublic):
            return Found(Status.REFUSED, None, _("It leads into a private network; visitors cannot open it."))
        return Found(Status.BROKEN, None, _("There is no such site."))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Found(Status.UNSURE, None, (str(error) or type(error).__name__)[:300])


async def _final_code(session: aiohttp.ClientSession, address: str) -> int:
    """The status code behind all redirects. Raises NotPublic and what the connection raises."""
    for _hop in range(REDIRECTS + 1):
        refuse_private(address)
        async with session.get(address, allow_redirects=False) as response:
            if not 300 <= response.status < 400 or "Location" not in response.headers:
                return response.status
            address = urljoin(address, response.headers["Location"])
    raise ValueError(_("It redirects more than %d times.") % REDIRECTS)


def judged(code: int) -> Found:
    if code < 400:
        return Found(Status.OK, code)
    if code in UNSURE or code >= 500:
        return Found(Status.UNSURE, code, _("The page answered with status %d.") % code)
    return Found(Status.BROKEN, code, _("The page answered with status %d.") % code)
