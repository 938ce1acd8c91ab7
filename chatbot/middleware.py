"""The headers that tell a browser what a page of ours may do, on every response."""

import secrets
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

POLICY = (
    "default-src 'self'; script-src 'self'{script}; style-src 'self'{nonce}; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'{socket}; object-src 'none'; base-uri 'none'; form-action 'self'{forms}; frame-ancestors 'none'"
)
# The admin's Alpine.js compiles the expressions of its attributes; inline scripts are as forbidden there as elsewhere.
ADMIN_SCRIPTS = " 'unsafe-eval'"
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "serial",
        "usb",
        "xr-spatial-tracking",
    )
)


def policy(request: HttpRequest) -> str:
    """The page's policy: with its nonce when a template used `request.csp_nonce`, and the admin's exception."""
    nonce = f" 'nonce-{request.csp_nonce}'" if _uses_nonce(request) else ""  # type: ignore[attr-defined]
    admin = ADMIN_SCRIPTS if request.path.startswith("/admin/") else ""
    return POLICY.format(script=nonce + admin, nonce=nonce, socket=_socket(request), forms=_forms())


def _forms() -> str:
    """A form may lead to the services by which people sign in."""
    return "".join(f" {origin}" for origin in settings.FORM_ORIGINS)


def _uses_nonce(request: HttpRequest) -> bool:
    return "csp_nonce_used" in request.META


def _socket(request: HttpRequest) -> str:
    """The chat's socket spelled out: not every browser counts `ws:` to 'self'."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return ""
    return f" {'wss' if request.is_secure() else 'ws'}://{host}"


class SecurityHeadersMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        _offer_nonce(request)
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy(request))
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response


def _offer_nonce(request: HttpRequest) -> None:
    def make() -> str:
        request.META["csp_nonce_used"] = True
        return secrets.token_urlsafe(16)

    request.csp_nonce = SimpleLazyObject(make)  # type: ignore[attr-defined]
