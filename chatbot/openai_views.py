"""`POST /v1/chat/completions` and `GET /v1/models` for OpenAI's clients, with the errors that they understand."""

from typing import Any, cast

from asgiref.sync import async_to_sync
from django.db import connection
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.authentication import KeyAuthentication
from accounts.models import APIKey, User
from accounts.permissions import scope
from conversations.imports import ask_with_history
from conversations.selectors import reply_to
from rest import errors
from rest.problems import Problem
from rest.schema import failure

from . import sse
from .following import Follower
from .openai_api import MODEL, Completion, CompletionRequestSerializer, model_card
from .serializers import EventSerializer

_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
QUESTION = OpenApiExample(
    "question",
    {"model": MODEL, "messages": [{"role": "user", "content": "How long does delivery take?"}]},
    request_only=True,
)
ANSWER = OpenApiResponse(OpenApiTypes.OBJECT, description="A chat completion; `parley` holds the sources.")
CHUNKS = OpenApiResponse(EventSerializer, description="Chunks of a completion, the last with `parley`, then `[DONE]`.")


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """An error in the shape of OpenAI's interface, beside ours."""
    response = errors.handle(error, context)
    if response is not None:
        said = response.data
        # Their interface does not tell the two apart.
        response.status_code = 400 if response.status_code == 422 else response.status_code
        kind = _TYPES.get(
            response.status_code, "invalid_request_error" if response.status_code < 500 else "server_error"
        )
        param = next(iter(said["fields"]), None)
        response.data = said | {
            "error": {"message": said["message"], "type": kind, "param": param, "code": said["code"]}
        }
    return response


class _OpenAIView(APIView):
    authentication_classes = (KeyAuthentication,)

    def get_exception_handler(self) -> Any:
        return handle


def check_model(name: str) -> None:
    if name != MODEL:
        raise Problem(404, "model_not_found", f"There is no model {name!r} here: use {MODEL!r}.")


class CompletionsView(_OpenAIView, sse.StreamingView):
    permission_classes = (scope(APIKey.Scope.CHAT),)

    @extend_schema(
        request=CompletionRequestSerializer,
        responses={(200, "application/json"): ANSWER, (200, sse.MEDIA_TYPE): CHUNKS, 404: failure(404)},
        examples=[QUESTION],
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Ask the assistant as a chat model: the messages before the last are its history."""
        serializer = CompletionRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        check_model(serializer.validated_data["model"])
        user, said = cast(User, request.user), serializer.validated_data["messages"]
        question = ask_with_history(user=user, history=said[:-1], content=said[-1].content)
        completion = Completion(question, Follower(user.pk, question))
        # The request lasts as long as the reply: its connection must not.
        connection.close()
        if serializer.validated_data["stream"]:
            return StreamingHttpResponse(completion.chunks(), content_type=sse.MEDIA_TYPE, headers=sse.HEADERS)
        return Response(self._whole(completion))

    def _whole(self, completion: Completion) -> dict[str, Any]:
        async_to_sync(completion.wait)()
        reply = reply_to(completion.message)
        return completion.whole(reply.tokens_used if reply else 0)


class ModelsView(_OpenAIView):
    permission_classes = (scope(APIKey.Scope.MODELS),)

    @extend_schema(operation_id="v1_models_list", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": [model_card()]})


class ModelView(_OpenAIView):
    permission_classes = (scope(APIKey.Scope.MODELS),)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, name: str) -> Response:
        check_model(name)
        return Response(model_card())
