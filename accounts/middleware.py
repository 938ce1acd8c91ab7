"""Staff without the second factor that they need reach nothing but the pages on which they set it up."""

from collections.abc import Callable

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from .mfa import lacks_required_factor
from .models import User

ALWAYS = ("/accounts/", "/static/", "/health", "/metrics")


def second_factor(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        refusal = _refusal(request) if _concerns(request) else None
        return refusal or get_response(request)

    return middleware


def _concerns(request: HttpRequest) -> bool:
    signed_in = settings.SESSION_COOKIE_NAME in request.COOKIES
    return bool(settings.STAFF_MFA_REQUIRED and signed_in and not request.path.startswith(ALWAYS))


def _refusal(request: HttpRequest) -> HttpResponse | None:
    if not isinstance(request.user, User) or not lacks_required_factor(request.user):
        return None
    if request.path.startswith(("/api/", "/v1/")):
        return HttpResponse(status=403)
    messages.warning(request, _("Your role needs a second factor: set up an authenticator app or a passkey first."))
    return redirect("mfa_index")
