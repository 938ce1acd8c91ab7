"""Figures for analysts and admins."""

from uuid import UUID

from django.db.models import QuerySet
from django_filters import ChoiceFilter
from drf_spectacular.utils import extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import roles
from conversations.models import Conversation
from rest.filters import Filters
from rest.pages import Pages

from . import selectors
from .serializers import (
    ConversationFiguresSerializer,
    DashboardSerializer,
    PeriodSerializer,
    UserFiguresSerializer,
)

ANALYSTS = (roles(User.Role.ANALYST, User.Role.ADMIN),)


class DashboardView(APIView):
    permission_classes = ANALYSTS

    @extend_schema(parameters=[PeriodSerializer], responses=DashboardSerializer)
    def get(self, request: Request) -> Response:
        """What happened in a period."""
        query = PeriodSerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        return Response(DashboardSerializer(selectors.dashboard(query.validated_data["period"])).data)


class UserView(APIView):
    permission_classes = ANALYSTS

    @extend_schema(responses=UserFiguresSerializer)
    def get(self, request: Request, user_id: UUID) -> Response:
        """One person's use."""
        return Response(UserFiguresSerializer(selectors.of_user(user_id)).data)


class ConversationFiguresPages(Pages):
    ordering = "-last_message_at"


class ConversationFiguresFilter(Filters):
    owner = ChoiceFilter(choices=Conversation.Owner.choices)


class ConversationsView(generics.ListAPIView[Conversation]):
    """Each conversation's figures, the latest first."""

    permission_classes = ANALYSTS
    serializer_class = ConversationFiguresSerializer
    pagination_class = ConversationFiguresPages
    filterset_class = ConversationFiguresFilter
    ordering_fields = ("last_message_at", "created_at")

    def get_queryset(self) -> QuerySet[Conversation]:
        return selectors.conversations()
