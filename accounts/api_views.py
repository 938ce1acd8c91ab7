"""The account over the API."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework import generics, mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rest import errors
from rest.pages import Pages

from . import (
    keys,
    schema,  # noqa: F401  (registers what it holds)
    sign_ins,
)
from .models import SignIn, User
from .serializers import SessionSerializer, UserSerializer


class MeView(mixins.UpdateModelMixin, generics.RetrieveAPIView[User]):
    """The signed-in person."""

    serializer_class = UserSerializer

    def get_object(self) -> User:
        assert isinstance(self.request.user, User)  # noqa: S101  (IsAuthenticated lets nobody else in)
        return self.request.user

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request, *args, **kwargs)


class SessionPages(Pages):
    ordering = "-last_used_at"


class SessionsView(generics.ListAPIView[SignIn]):
    """The person's signed-in apps."""

    serializer_class = SessionSerializer
    pagination_class = SessionPages
    filter_backends = ()

    def get_queryset(self) -> QuerySet[SignIn]:
        return SignIn.objects.open().filter(user=self.request.user.pk)  # type: ignore[attr-defined,no-any-return]


class SessionView(APIView):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, session_id: UUID) -> Response:
        """End one of the person's sign-ins: none of its tokens counts any more."""
        assert isinstance(request.user, User)  # noqa: S101  (IsAuthenticated lets nobody else in)
        sign_ins.revoke(user=request.user, sign_in_id=session_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def public_keys(request: HttpRequest) -> JsonResponse:
    """The JSON Web Key Set with which others verify tokens; none while they are signed with a shared secret."""
    found = keys.public_keys()
    if not found:
        return JsonResponse(errors.body("not_found", "Tokens are signed with a shared secret."), status=404)
    return JsonResponse({"keys": found})
