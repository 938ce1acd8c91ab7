"""Consent, copies and being forgotten over the API."""

from typing import Any, cast
from uuid import UUID

from django.http import Http404, HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rest.limits import client_address

from ..models import User
from . import consent, erasure, export
from .models import Consent, Export
from .serializers import DecisionSerializer, ErasureSerializer, ExportSerializer, StandingSerializer


def person_of(request: Request) -> User:
    """IsAuthenticated lets nobody else in."""
    return cast(User, request.user)


class ConsentsView(APIView):
    @extend_schema(responses=StandingSerializer(many=True))
    def get(self, request: Request) -> Response:
        """What holds for each purpose."""
        return Response(StandingSerializer(consent.standings(person_of(request)), many=True).data)

    @extend_schema(request=DecisionSerializer, responses=StandingSerializer(many=True))
    def post(self, request: Request) -> Response:
        """Decide about one purpose; the decision is kept with its time, version and origin."""
        serializer = DecisionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        decisions = {serializer.validated_data["purpose"]: serializer.validated_data["granted"]}
        address = client_address(request._request)
        consent.decide(user=person_of(request), decisions=decisions, source=Consent.Source.API, address=address)
        return self.get(request)


class ExportView(APIView):
    @extend_schema(responses=ExportSerializer)
    def get(self, request: Request) -> Response:
        """The latest copy, with the progress of its making."""
        found = person_of(request).exports.defer("archive").first()
        if found is None:
            raise Http404
        return Response(ExportSerializer(found).data)

    @extend_schema(request=None, responses={202: ExportSerializer})
    def post(self, request: Request) -> Response:
        """Ask for a copy of everything about you. While one is being made, that one is the answer."""
        found = export.request_export(user=person_of(request))
        return Response(ExportSerializer(found).data, status.HTTP_202_ACCEPTED)


class ZipRenderer(BaseRenderer):
    """Only so that `Accept: application/zip` is agreed to; the view answers with the file itself."""

    media_type, format = "application/zip", "zip"

    def render(self, data: Any, *args: Any, **kwargs: Any) -> bytes:
        return JSONRenderer().render(data)


class ArchiveView(APIView):
    renderer_classes = (JSONRenderer, ZipRenderer)

    @extend_schema(responses={(200, "application/zip"): OpenApiResponse(OpenApiTypes.BINARY, description="The ZIP")})
    def get(self, request: Request, export_id: UUID) -> HttpResponse:
        """The copy as a ZIP: pages to read, and JSON."""
        found = Export.objects.filter(pk=export_id, user=person_of(request)).first()
        if found is None or not found.is_available or found.archive is None:
            raise Http404
        return HttpResponse(found.archive, content_type="application/zip")


class ErasureView(APIView):
    @extend_schema(responses=ErasureSerializer)
    def get(self, request: Request) -> Response:
        """When everything about you will be erased; 404 when you have not asked for it."""
        found = erasure.pending(person_of(request))
        if found is None:
            raise Http404
        return Response(ErasureSerializer(found).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request) -> Response:
        """Take it back."""
        if not erasure.cancel_erasure(user=person_of(request)):
            raise Http404
        return Response(status=status.HTTP_204_NO_CONTENT)
