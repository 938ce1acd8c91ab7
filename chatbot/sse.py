"""A reply as Server-Sent Events. Every event's id tells what the client holds then, so that `Last-Event-ID` resumes there."""

import re
from collections.abc import AsyncIterator
from typing import Any

from django.http import StreamingHttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from conversations.models import Message

from .following import SIGN_IN_ENDED, Follower, Held
from .protocol import Frame, encode

MEDIA_TYPE = "text/event-stream"
# Proxies must neither keep nor gather what is streamed.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_ID = re.compile(r"(?P<message_id>[0-9a-f-]{36}):(?P<attempt>\d{1,5}):(?P<units>\d{1,9})", re.ASCII)


class EventStreamRenderer(BaseRenderer):
    """Lets a client ask for a stream, and renders nothing; see StreamingView for what is none."""

    media_type = MEDIA_TYPE
    format = "event-stream"


class StreamingView(APIView):
    """A view that may stream. What is no stream, such as an error, is JSON whatever the client accepts."""

    renderer_classes = (JSONRenderer, EventStreamRenderer)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(response, Response) and getattr(request, "accepted_renderer", None) is not None:
            request.accepted_renderer, request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().finalize_response(request, response, *args, **kwargs)


def held(last_event_id: str) -> Held:
    """What the client of a `Last-Event-ID` holds: nothing when the id is not one of ours."""
    match = _ID.fullmatch(last_event_id)
    if match is None:
        return Held()
    return Held(match["message_id"], int(match["attempt"]), int(match["units"]), text=None)


def event(frame: Frame, held: Held) -> str:
    if frame["type"] == "silence":
        return ": still here\n\n"
    number = f"id: {held.message_id}:{held.attempt}:{held.units}\n" if held.message_id else ""
    return f"event: {frame['type']}\n{number}data: {encode(frame)}\n\n"


async def events(first: Frame, follower: Follower) -> AsyncIterator[str]:
    yield event(first, follower.held)
    async for frame in follower.frames():
        if frame is SIGN_IN_ENDED:
            # Sent again, the request tells whether it was this one.
            return
        yield event(frame, follower.held)


def response(first: Frame, *, message: Message, user_id: Any, last_event_id: str) -> StreamingHttpResponse:
    """The stream of the answer to a message, behind a first frame."""
    follower = Follower(user_id, message, held(last_event_id))
    return StreamingHttpResponse(events(first, follower), content_type=MEDIA_TYPE, headers=HEADERS)
