"""What the OpenAPI document says of every operation beside its own: how it can fail."""

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import Direction, OpenApiExample, OpenApiResponse
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS, AllowAny, DjangoModelPermissionsOrAnonReadOnly

from . import idempotency

ERROR_NAME = "Error"


class ErrorSerializer(serializers.Serializer[Any]):
    """The shape of every error."""

    code = serializers.CharField(help_text="Stable; decide by this.")
    message = serializers.CharField(help_text="For people, in the language of the request.")
    fields = serializers.DictField(  # type: ignore[assignment]
        child=serializers.ListField(child=serializers.CharField()), help_text="What is wrong with which field."
    )
    request_id = serializers.CharField(help_text="Quote it when you report a problem.")


def _example(code: str, message: str, fields: dict[str, list[str]] | None = None) -> OpenApiExample:
    request_id = "0b9fe0a5-6d7e-4b57-9f0a-6a2f3d1c8e11"
    value = {"code": code, "message": message, "fields": fields or {}, "request_id": request_id}
    return OpenApiExample(code, value, response_only=True)


_FAILURES = {
    400: ("Bad input", _example("invalid", "Some fields are not valid.", {"title": ["This field is required."]})),
    401: ("Nobody is signed in", _example("not_authenticated", "Authentication credentials were not provided.")),
    403: ("Not allowed", _example("permission_denied", "You do not have permission to perform this action.")),
    404: ("Not there, or not yours", _example("not_found", "There is nothing here that you may see.")),
    405: ("No such method here", _example("method_not_allowed", 'Method "PUT" not allowed.')),
    406: ("No such format", _example("not_acceptable", "Could not satisfy the request Accept header.")),
    409: ("Does not fit the state", _example("conflict", "The answer is still being written.")),
    412: ("Changed meanwhile", _example("changed_meanwhile", "This was changed meanwhile. Read it again.")),
    415: ("Not JSON", _example("unsupported_media_type", 'Unsupported media type "text/plain" in request.')),
    422: (
        "Well formed, but not possible",
        _example("refused", "Some fields are not valid.", {"slug": ["It is taken."]}),
    ),
    429: ("Too many requests", _example("rate_limited", "Request was throttled. Expected available in 12 seconds.")),
    503: ("Not just now", _example("unavailable", "This could not be done just now. Send it again in a moment.")),
}


def failure(code: int) -> OpenApiResponse:
    """One way to fail, for operations that declare more of them."""
    description, example = _FAILURES[code]
    return OpenApiResponse(ErrorSerializer, description=description, examples=[example])


class Schema(AutoSchema):
    """Adds the ways to fail that follow from what an operation is."""

    def _failures(self) -> list[int]:
        found = [400, 405, 406, 422, 429, 503]
        open_to_all = any(isinstance(one, AllowAny) for one in self.view.get_permissions())
        if not open_to_all or self.view.get_authenticators():
            found += [401, 403]
        if "{" in self.path:
            found.append(404)
        if self.method in {"POST", "PUT", "PATCH"}:
            found += [409, 415]
        if self.method in {"PUT", "PATCH", "DELETE"}:
            found.append(412)
        return found

    def _is_idempotent(self) -> bool:
        return self.method == "POST" and isinstance(self.view, idempotency.Idempotent)

    def get_override_parameters(self) -> list[Any]:
        return [idempotency.PARAMETER] if self._is_idempotent() else []

    def get_auth(self) -> list[Any]:
        found: list[Any] = super().get_auth()
        readers = (isinstance(one, DjangoModelPermissionsOrAnonReadOnly) for one in self.view.get_permissions())
        return [*found, {}] if self.method in SAFE_METHODS and any(readers) else found

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for code in self._failures():
            if str(code) not in bodies:
                bodies[str(code)] = self._get_response_for_code(failure(code), str(code), ["application/json"])  # type: ignore[no-untyped-call]
        return bodies
