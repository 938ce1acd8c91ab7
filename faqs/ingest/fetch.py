"""Fetching a page that an editor names, without letting it reach into the network that this runs in.

Only http and https, only public addresses (checked where the connection is made, so that a name cannot change in between), few redirects
that are checked like the first address, and limits for time and size.
"""

import asyncio
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from django.conf import settings
from django.utils.translation import gettext as _

from ..jobs import JobFailed
from ..public_web import NotPublic, PublicResolver, refuse_private

SECONDS = 20
REDIRECTS = 5


@dataclass(frozen=True)
class Page:
    address: str
    type: str
    content: bytes


def fetch(address: str) -> Page:
    """Raises JobFailed."""
    try:
        return asyncio.run(_fetch(address))
    except NotPublic:
        raise JobFailed(_("This address is not on the public internet.")) from None
    except TimeoutError:
        raise JobFailed(_("The page did not arrive within %d seconds.") % SECONDS) from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        cause = getattr(error, "os_error", None)
        if isinstance(cause, NotPublic) or isinstance(error.__cause__, NotPublic):
            raise JobFailed(_("This address is not on the public internet.")) from None
        raise JobFailed(_("The page could not be fetched: %s.") % (str(error) or type(error).__name__)) from None


async def _fetch(address: str) -> Page:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    headers = {
        "User-Agent": f"{settings.SITE_NAME} help page import",
        "Accept": "text/html, text/markdown, application/pdf",
    }
    async with asyncio.timeout(SECONDS):
        resolver = aiohttp.ThreadedResolver() if settings.INGEST_PRIVATE_ADDRESSES else PublicResolver()
        connector = aiohttp.TCPConnector(resolver=resolver)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers) as session:
            return await _follow(session, address)


async def _follow(session: aiohttp.ClientSession, address: str) -> Page:
    for _hop in range(REDIRECTS + 1):
        check(address)
        async with session.get(address, allow_redirects=False) as response:
            if response.status in (301, 302, 303, 307, 308):
                address = urljoin(address, response.headers.get("Location", ""))
                continue
            if response.status != 200:
                raise JobFailed(_("The page answered with status %d.") % response.status)
            return Page(address, response.content_type, await _body(response))
    raise JobFailed(_("The page redirects more than %d times.") % REDIRECTS)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for piece in response.content.iter_chunked(65_536):
        content += piece
        if len(content) > settings.IMPORT_MAX_BYTES:
            limit = settings.IMPORT_MAX_BYTES // (1024 * 1024)
            raise JobFailed(_("The page is larger than %d MB.") % limit)
    return bytes(content)


def check(address: str) -> None:
    """Refuse what is no public web address by itself. Raises JobFailed, NotPublic, ValueError."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise JobFailed(_("Give an address that begins with http:// or https:// and has no password in it."))
    if not settings.INGEST_PRIVATE_ADDRESSES:
        refuse_private(address)
