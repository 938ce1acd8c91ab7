"""How endpoints ask the limiter. The verdict is kept on the request; a middleware tells it in the response's headers."""

from typing import TYPE_CHECKING

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from . import limits
from .limits import Verdict
from .problems import Unavailable

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Throttle(BaseThrottle):
    """Per user and per address."""

    verdict = Verdict(allowed=True)

    def take(self, request: Request) -> Verdict:
        return limits.take("person", limits.person(request.user.pk, limits.client_address(request._request)))

    def allow_request(self, request: Request, view: "APIView") -> bool:
        self.verdict = request._request.rate_limit = self.take(request)  # type: ignore[attr-defined]
        return self.verdict.allowed

    def wait(self) -> float:
        return self.verdict.reset


class AuthThrottle(Throttle):
    """Tighter, and closed when Redis is gone: for what guesses could open."""

    def take(self, request: Request) -> Verdict:
        address = limits.client_address(request._request)
        try:
            return limits.take("auth", [(settings.RATE_LIMITS_AUTH, f"address:{address}")], closed=True)
        except limits.LimiterUnavailable:
            raise Unavailable from None
