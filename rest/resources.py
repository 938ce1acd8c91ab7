"""Endpoints of one object, with ETags: what was read is sent once (If-None-Match), and nobody overwrites what they have not
seen (If-Match)."""

import hashlib
from abc import ABC, abstractmethod
from typing import Any

from django.db import transaction
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import GenericAPIView, get_object_or_404
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from .problems import Problem

IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The ETag of what you have read; 412 when it changed since."
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of what you hold; 304 when it is still that."
)


def changed_meanwhile() -> Problem:
    message = _("This was changed meanwhile. Read it again and repeat your change.")
    return Problem(status.HTTP_412_PRECONDITION_FAILED, "changed_meanwhile", message)


class Resource(GenericAPIView[Any]):
    """Reads one object. What changes it holds its row, so that the precondition and the change are one step."""

    filter_backends = ()
    # Fields that change without anybody writing the object: its ETag leaves them out.
    counted: tuple[str, ...] = ()

    def find(self, *, lock: bool) -> Any:
        """The object of this address, its row locked on request. Raises ObjectDoesNotExist, Http404."""
        rows = self.get_queryset()
        if lock:
            # What is joined is as it was before the wait for the lock: it is read when it is needed.
            rows = rows.select_related(None).select_for_update(no_key=True)
        return get_object_or_404(rows, pk=self.kwargs[self.lookup_url_kwarg or "pk"])

    def shown(self, instance: Any) -> Any:
        return self.get_serializer(instance).data

    def answer(self, instance: Any) -> Response:
        data = self.shown(instance)
        return Response(data, headers={"ETag": self.etag_of(data)})

    def etag_of(self, data: Any) -> str:
        written = {name: value for name, value in data.items() if name not in self.counted}
        return f'"{hashlib.sha256(JSONRenderer().render(written)).hexdigest()[:32]}"'

    def find_unchanged(self, request: Request) -> Any:
        instance = self.find(lock=True)
        wanted = parse_etags(request.headers.get("If-Match", "*"))
        if wanted != ["*"] and self.etag_of(self.shown(instance)) not in wanted:
            raise changed_meanwhile()
        return instance

    @extend_schema(parameters=[IF_NONE_MATCH])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        response = self.answer(self.find(lock=False))
        if response["ETag"] in parse_etags(request.headers.get("If-None-Match", "")):
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": response["ETag"]})
        return response


class Patchable(Resource):
    def write(self, serializer: Any) -> Any:
        """Give the object its new values; returns it as it is then. Where that is more than to store them, one domain call."""
        return serializer.save()

    def _write(self, request: Request, *, partial: bool) -> Response:
        with transaction.atomic():
            instance = self.find_unchanged(request)
            serializer = self.get_serializer(instance, data=request.data, partial=partial)
            serializer.is_valid(raise_exception=True)
            return self.answer(self.write(serializer))

    @extend_schema(parameters=[IF_MATCH])
    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._write(request, partial=True)


class Changeable(Patchable):
    @extend_schema(parameters=[IF_MATCH])
    def put(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._write(request, partial=False)


class Removable(Resource, ABC):
    @abstractmethod
    def remove(self, instance: Any) -> None:
        """The domain call that removes the object."""

    @extend_schema(parameters=[IF_MATCH])
    def delete(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with transaction.atomic():
            self.remove(self.find_unchanged(request))
        return Response(status=status.HTTP_204_NO_CONTENT)
