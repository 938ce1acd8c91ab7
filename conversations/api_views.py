"""Conversations and their messages over the API. A person's rows only: a stranger's are not found."""

from typing import cast
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters import ChoiceFilter
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from accounts.models import User
from rest.filters import Filters, YesNoFilter
from rest.idempotency import Idempotent
from rest.pages import Pages
from rest.problems import Conflict
from rest.resources import Changeable, Removable

from . import replies, selectors, services
from .models import Conversation, Message
from .serializers import (
    ConversationSerializer,
    FeedbackSerializer,
    MessagePageSerializer,
    MessageSerializer,
    MessagesQuerySerializer,
    NewConversationSerializer,
)


def person(request: Request) -> User:
    """Who asks: the permission classes let nobody else in."""
    return cast(User, request.user)


class ConversationPages(Pages):
    ordering = "-last_message_at"


class ConversationFilter(Filters):
    is_archived = YesNoFilter()
    owner = ChoiceFilter(choices=Conversation.Owner.choices)


class _Conversations(generics.GenericAPIView[Conversation]):
    serializer_class = ConversationSerializer
    lookup_url_kwarg = "conversation_id"

    def get_queryset(self) -> QuerySet[Conversation]:
        return Conversation.objects.filter(user=self.request.user.pk, is_active=True)


class ConversationsView(Idempotent, _Conversations, generics.ListAPIView[Conversation]):
    pagination_class = ConversationPages
    filterset_class = ConversationFilter
    ordering_fields = ("last_message_at", "created_at")

    @extend_schema(request=NewConversationSerializer, responses={201: ConversationSerializer})
    def post(self, request: Request) -> Response:
        """Open a conversation without a message yet; a first message opens one too."""
        serializer = NewConversationSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        conversation = services.open_conversation(user=person(request), **serializer.validated_data)
        return Response(ConversationSerializer(conversation).data, status.HTTP_201_CREATED)


class ConversationView(_Conversations, Changeable, Removable):
    def write(self, serializer: ConversationSerializer) -> Conversation:
        return services.edit(conversation=cast(Conversation, serializer.instance), **serializer.validated_data)

    def remove(self, instance: Conversation) -> None:
        services.delete(conversation=instance)


class MessagesView(APIView):
    @extend_schema(parameters=[MessagesQuerySerializer], responses=MessagePageSerializer)
    def get(self, request: Request, conversation_id: UUID) -> Response:
        """What came after a number, in order of change; without one the transcript, the latest first."""
        query = MessagesQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        conversation = selectors.get_conversation(person(request), conversation_id)
        rows, more = _page(conversation, **query.validated_data)
        page = {
            "results": MessageSerializer(rows, many=True).data,
            "next": self._next(request, rows, after="after" in query.validated_data) if more else None,
            "last_seq": conversation.last_seq,
        }
        return Response(page)

    def _next(self, request: Request, rows: list[Message], *, after: bool) -> str:
        url = request.build_absolute_uri()
        if after:
            return replace_query_param(url, "after", rows[-1].seq)
        return replace_query_param(url, "before", rows[-1].position)


def _page(
    conversation: Conversation, *, limit: int, after: int | None = None, before: int | None = None
) -> tuple[list[Message], bool]:
    """A page of messages and whether there are more behind it."""
    if after is not None:
        rows = selectors.changes_after(conversation, after, limit=limit + 1)
    else:
        rows = selectors.transcript(conversation, before=before, limit=limit + 1)[::-1]
    return rows[:limit], len(rows) > limit


class FeedbackView(Idempotent):
    @extend_schema(request=FeedbackSerializer, responses={200: MessageSerializer})
    def post(self, request: Request, message_id: UUID) -> Response:
        """Say whether an answer helped; another verdict replaces it."""
        serializer = FeedbackSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        message = services.give_feedback(user=person(request), message_id=message_id, **serializer.validated_data)
        return Response(MessageSerializer(message).data)


class RegenerateView(Idempotent):
    @extend_schema(request=None, responses={202: MessageSerializer})
    def post(self, request: Request, message_id: UUID) -> Response:
        """Discard the last answer and ask for another, which is queued."""
        try:
            reply = replies.regenerate(user=person(request), message_id=message_id)
        except replies.CannotRegenerate:
            message = _("Only the last answer can be asked for again, once it has ended.")
            raise Conflict("cannot_regenerate", message) from None
        return Response(MessageSerializer(reply).data, status.HTTP_202_ACCEPTED)


class ReadView(Idempotent):
    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, message_id: UUID) -> Response:
        """Everything up to this message has been seen."""
        services.mark_message_read(user=person(request), message_id=message_id)
        return Response(status=status.HTTP_204_NO_CONTENT)
