"""The one shape of an error: `code` for programs, `message` for people, `fields` for forms, `request_id` for the logs."""

from collections.abc import Iterator
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views import defaults
from redis.exceptions import RedisError
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from . import body_limit
from .idempotency import Replay
from .problems import REFUSED, Fields, Unavailable

log = structlog.get_logger(__name__)

API_PATHS = ("/api/", "/v1/")
WHOLE = "non_field_errors"
# Texts that hold nothing but spaces, names that are taken, objects that are not there.
_REFUSED = {
    REFUSED,
    "blank",
    "unique",
    "does_not_exist",
    "null_characters_not_allowed",
    "malformed",
    "surrogate_characters_not_allowed",
}


def body(code: str, message: str, fields: Fields | None = None) -> dict[str, Any]:
    request_id = structlog.contextvars.get_contextvars().get("request_id", "")
    return {"code": code, "message": message, "fields": fields or {}, "request_id": str(request_id)}


def flat(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(field, message) of everything in a serializer's errors; nested fields are joined with dots."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            yield from flat(inner, path if name == WHOLE else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            yield from flat(inner, path if isinstance(inner, str) else f"{path}.{index}".lstrip("."))
    else:
        yield path, str(detail)


def _is_refused(error: exceptions.ValidationError) -> bool:
    """Whether all that is wrong is what no schema can say."""
    return {code for _field, code in flat(error.get_codes())} <= _REFUSED


def _invalid(error: exceptions.ValidationError) -> dict[str, Any]:
    fields: Fields = {}
    for name, message in flat(error.detail):
        fields.setdefault(name or WHOLE, []).append(message)
    whole = fields.get(WHOLE)
    code = "refused" if _is_refused(error) else "invalid"
    return body(code, whole[0] if whole else _("Some fields are not valid."), fields)


def _body_of(error: exceptions.APIException) -> dict[str, Any]:
    if isinstance(error, exceptions.ValidationError):
        return _invalid(error)
    detail = error.detail
    if isinstance(detail, dict):
        return body(str(detail.get("code", error.default_code)), str(detail.get("detail", error.default_detail)))
    code = {"error": "bad_request", "throttled": "rate_limited", "parse_error": "malformed"}.get(
        str(getattr(detail, "code", "")), str(getattr(detail, "code", error.default_code))
    )
    return body(code, str(detail), getattr(error, "fields", {}))


def _as_problem(error: Exception) -> Exception:
    """What the framework does not know, said in its words."""
    if isinstance(error, ObjectDoesNotExist | Http404):
        return exceptions.NotFound(_("There is nothing here that you may see."))
    if isinstance(error, DatabaseError | InterfaceError | RedisError):
        log.warning("request_not_served", error=type(error).__name__)
        return Unavailable()
    return error


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler."""
    if isinstance(error, Replay):
        return error.response
    problem = _as_problem(error)
    response = exception_handler(problem, context)
    if response is not None and isinstance(problem, exceptions.APIException):
        response.data = _body_of(problem)
        if isinstance(problem, exceptions.ValidationError) and _is_refused(problem):
            response.status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith(API_PATHS)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _is_api(request):
        return JsonResponse(body("not_found", _("There is no such address.")), status=404)
    return defaults.page_not_found(request, exception)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """What Django refuses to read."""
    if isinstance(exception, RequestDataTooBig | TooManyFieldsSent | TooManyFilesSent):
        return _too_large(request)
    if _is_api(request):
        return JsonResponse(body("bad_request", _("The request cannot be read.")), status=400)
    return defaults.bad_request(request, exception)


def _too_large(request: HttpRequest) -> HttpResponse:
    message = body_limit.message(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if _is_api(request) or "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(body("too_large", message), status=413)
    return render(request, "error.html", {"heading": _("That was too much at once"), "message": message}, status=413)


def server_error(request: HttpRequest) -> HttpResponse:
    if _is_api(request):
        message = _("Something went wrong on our side. Quote the request's number when you report it.")
        return JsonResponse(body("internal", message), status=500)
    return defaults.server_error(request)
