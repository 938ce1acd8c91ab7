"""Headers that every answer of the API carries."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class RateLimitHeadersMiddleware:
    """Says what the limiter found for this request."""

    sync_capable = async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._later(request)
        return self._tell(request, cast(HttpResponseBase, self.get_response(request)))

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        return self._tell(request, await cast(Awaitable[HttpResponseBase], self.get_response(request)))

    def _tell(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        verdict = getattr(request, "rate_limit", None)
        for name, value in verdict.headers.items() if verdict else ():
            response.headers[name] = value
        return response
