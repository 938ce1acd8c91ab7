"""The Content-Security-Policy of every page but the admin's, whose scripts are not ours."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponseBase

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'{socket}; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


def policy(request: HttpRequest) -> str:
    """The policy with the chat's socket spelled out: not every browser counts `ws:` to 'self'."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return POLICY.format(socket="")
    return POLICY.format(socket=f" {'wss' if request.is_secure() else 'ws'}://{host}")


class ContentSecurityPolicyMiddleware:
    """Works in both kinds of stack, so that async views stay async."""

    sync_capable = async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._later(request)
        return self._protect(request, cast(HttpResponseBase, self.get_response(request)))

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        return self._protect(request, await cast(Awaitable[HttpResponseBase], self.get_response(request)))

    def _protect(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if not request.path.startswith("/admin/"):
            response.headers.setdefault("Content-Security-Policy", policy(request))
        return response
