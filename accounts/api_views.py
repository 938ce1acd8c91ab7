"""The account over the API."""

from typing import cast
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rest import errors
from rest.pages import Pages
from rest.resources import Patchable

from . import (
    keys,
    schema,  # noqa: F401  (registers what it holds)
    services,
    sign_ins,
)
from .models import SignIn, User
from .privacy import erasure
from .privacy.serializers import ErasureSerializer
from .serializers import SessionSerializer, UserSerializer


class MeView(Patchable):
    """The signed-in person."""

    serializer_class = UserSerializer

    def find(self, *, lock: bool) -> User:
        asking = cast(User, self.request.user)
        return User.objects.select_for_update(no_key=True).get(pk=asking.pk) if lock else asking

    def write(self, serializer: UserSerializer) -> User:
        return services.edit_profile(user=cast(User, serializer.instance), **serializer.validated_data)

    @extend_schema(responses={202: ErasureSerializer})
    def delete(self, request: Request) -> Response:
        """Ask for everything about you to be erased. It can be taken back at me/erasure until it is due."""
        asked = erasure.request_erasure(user=cast(User, request.user))
        return Response(ErasureSerializer(asked).data, status.HTTP_202_ACCEPTED)


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
        sign_ins.revoke(user=cast(User, request.user), sign_in_id=session_id)
        return Response(status=status.HTTP_204_NO_CONTENT)


def public_keys(request: HttpRequest) -> JsonResponse:
    """The JSON Web Key Set with which others verify tokens; none while they are signed with a shared secret."""
    found = keys.public_keys()
    if not found:
        return JsonResponse(errors.body("not_found", "Tokens are signed with a shared secret."), status=404)
    return JsonResponse({"keys": found})
