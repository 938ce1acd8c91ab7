"""Chatting over the API: a message is posted like one of the socket, and its answer may be streamed."""

from typing import cast
from uuid import uuid4

from django.db import connection
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from conversations import replies, selectors, services
from rest.idempotency import Idempotent
from rest.problems import Conflict
from rest.schema import failure

from . import protocol, sse
from .serializers import EventSerializer, SendSerializer, SentSerializer, StopSerializer

QUESTION = OpenApiExample(
    "question", {"client_id": str(uuid4()), "content": "How long does delivery take?"}, request_only=True
)
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    str,
    OpenApiParameter.HEADER,
    description="Of the last event that arrived; the stream goes on there.",
)
STREAM = OpenApiResponse(
    EventSerializer, description="Events `ack`, `delta`, `snapshot` and at last `response` (docs/api.md)."
)


class SendView(Idempotent, sse.StreamingView):
    @extend_schema(
        request=SendSerializer,
        parameters=[LAST_EVENT_ID],
        responses={202: SentSerializer, (200, sse.MEDIA_TYPE): STREAM, 404: failure(404)},
        examples=[QUESTION],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Ask. Answers at once with the ids; on `Accept: text/event-stream` with the streamed answer."""
        serializer = SendSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = cast(User, request.user)
        posted = services.post_message(user=user, **serializer.validated_data)
        ack = protocol.ack_frame(posted.message, duplicate=posted.duplicate)
        if request.accepted_renderer.format == sse.EventStreamRenderer.format:
            return self._stream(request, user, posted, ack)
        reply = selectors.reply_to(posted.message)
        sent = SentSerializer(ack | {"reply_id": reply.pk if reply else None})
        return Response(sent.data, status.HTTP_202_ACCEPTED)

    def _stream(
        self, request: Request, user: User, posted: services.Posted, ack: protocol.Frame
    ) -> StreamingHttpResponse:
        # The request lasts as long as the stream: its connection must not.
        connection.close()
        last = request.headers.get("Last-Event-ID", "")
        return sse.response(ack, message=posted.message, user_id=user.pk, last_event_id=last)


class StopView(Idempotent):
    @extend_schema(request=StopSerializer, responses={202: None, 404: failure(404)})
    def post(self, request: Request) -> Response:
        """End the answer that is being written; what was shown of it is kept."""
        serializer = StopSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        user = cast(User, request.user)
        if not replies.request_stop(user=user, conversation_id=serializer.validated_data["conversation_id"]):
            raise Conflict("nothing_to_stop", _("No answer is being written in this conversation."))
        return Response(status=status.HTTP_202_ACCEPTED)
