"""The way out for what editors name: public internet addresses only, checked where a connection is made.

So a name cannot change between the check and the connection. Redirects are for the caller to follow, each checked like the first address.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from yarl import URL

# Addresses through which a gateway reaches IPv4 addresses, public or not.
_TRANSLATED = ipaddress.ip_network("64:ff9b::/96")


class NotPublic(OSError):
    """A host is, or resolves to, an address that is not on the public internet."""


def is_public(address: str) -> bool:
    """Whether a connection to an IP address stays outside of private networks. Raises ValueError for what is none."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return is_public(str(inner))
        if found in _TRANSLATED or found.teredo is not None:
            return False
    return found.is_global and not found.is_multicast


def refuse_private(address: str) -> None:
    """For an address whose host is in digits, which `PublicResolver` never sees; names pass. Raises NotPublic, ValueError.

    The host is read as aiohttp reads it: to it, full-width digits and dots are digits and dots too.
    """
    host = URL(address).raw_host or ""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise NotPublic


class PublicResolver(aiohttp.ThreadedResolver):
    """Gives a connection only addresses that are on the public internet."""

    async def resolve(self, host: str, *args: Any, **kwargs: Any) -> list[ResolveResult]:
        look_up: Callable[..., Awaitable[list[ResolveResult]]] = super().resolve
        found = await look_up(host, *args, **kwargs)
        if not all(is_public(one["host"]) for one in found):
            raise NotPublic
        return found
