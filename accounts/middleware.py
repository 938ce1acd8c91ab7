"""Staff without the second factor that they need reach nothing but the pages on which they set it up."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from .mfa import lacks_required_factor
from .models import User

GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]
ALWAYS = ("/accounts/", "/static/", "/health", "/metrics")


@sync_and_async_middleware
def second_factor(get_response: GetResponse) -> GetResponse:
    if iscoroutinefunction(get_response):

        async def later(request: HttpRequest) -> HttpResponseBase:
            refusal = await sync_to_async(_refusal)(request) if _concerns(request) else None
            return refusal or await cast(Awaitable[HttpResponseBase], get_response(request))

        return later

    def now(request: HttpRequest) -> HttpResponseBase:
        refusal = _refusal(request) if _concerns(request) else None
        return refusal or cast(HttpResponseBase, get_response(request))

    return now


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
