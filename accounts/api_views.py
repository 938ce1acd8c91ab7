"""The account over the API."""

from typing import Any

from rest_framework import generics, mixins
from rest_framework.request import Request
from rest_framework.response import Response

from . import schema  # noqa: F401  (registers what it holds)
from .models import User
from .serializers import UserSerializer


class MeView(mixins.UpdateModelMixin, generics.RetrieveAPIView[User]):
    """The signed-in person."""

    serializer_class = UserSerializer

    def get_object(self) -> User:
        assert isinstance(self.request.user, User)  # noqa: S101  (IsAuthenticated lets nobody else in)
        return self.request.user

    def patch(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.partial_update(request, *args, **kwargs)
