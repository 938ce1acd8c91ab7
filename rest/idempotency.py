"""`Idempotency-Key`: a POST that is sent again gets the answer of the first, and does nothing a second time.

Answers are kept in Redis for a day, under the person's id. Without Redis such a request is refused: it could not keep its promise.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import structlog
from django.core.cache import cache
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from redis.exceptions import RedisError
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from .problems import Problem

log = structlog.get_logger(__name__)

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
KEPT_SECONDS = 24 * 60 * 60
# A process that died in the middle gives the key back after this.
RUNNING_SECONDS = 60
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)
PARAMETER = OpenApiParameter(
    HEADER,
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    OpenApiParameter.HEADER,
    description="A fresh value for each intention; sending it again within a day replays the first answer.",
)


class Replay(exceptions.APIException):
    """Carries the first answer out of the view."""

    def __init__(self, code: int, data: Any) -> None:
        super().__init__()
        self.response = Response(data, code, headers={REPLAYED: "true"})


@dataclass(frozen=True)
class Attempt:
    """A request under a key; `fingerprint` tells whether another one is the same."""

    name: str
    fingerprint: str

    @classmethod
    def of(cls, request: Request, key: str) -> "Attempt":
        if not _KEY.fullmatch(key):
            raise exceptions.ValidationError({HEADER: [_("Send 1 to 255 visible ASCII characters.")]})
        place = f"{request.path}\n{key}".encode()
        name = f"idempotency:{request.user.pk}:{hashlib.sha256(place).hexdigest()}"
        return cls(name, hashlib.sha256(request._request.body).hexdigest())

    def begin(self) -> None:
        """Raises Replay when it was answered before, Problem when it runs or was another request."""
        if cache.add(self.name, {"fingerprint": self.fingerprint}, RUNNING_SECONDS):
            return
        record = cache.get(self.name) or {"fingerprint": self.fingerprint}
        if record["fingerprint"] != self.fingerprint:
            message = _("This key was used for another request. Take a fresh one.")
            raise Problem(status.HTTP_422_UNPROCESSABLE_ENTITY, "key_reused", message)
        if "code" not in record:
            message = _("The first request with this key is still being answered.")
            raise Problem(status.HTTP_409_CONFLICT, "in_progress", message, retry_after=1)
        raise Replay(record["code"], record["data"])

    def end(self, response: Any) -> None:
        """Keep an answer that would be the same again; give the key back otherwise.

        What was done is told even when Redis went away meanwhile.
        """
        try:
            self._keep(response)
        except (RedisError, OSError) as error:
            log.warning("answer_not_kept", error=type(error).__name__)

    def _keep(self, response: Any) -> None:
        final = isinstance(response, Response) and response.status_code < 500 and response.status_code != 429
        if not final:
            cache.delete(self.name)
            return
        data = None if response.data is None else json.loads(JSONRenderer().render(response.data))
        record = {"fingerprint": self.fingerprint, "code": response.status_code, "data": data}
        cache.set(self.name, record, KEPT_SECONDS)


class Idempotent(APIView):
    """Honours the header on POSTs of people who are signed in."""

    attempt: Attempt | None = None

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get(HEADER)
        if request.method == "POST" and key is not None and request.user.pk is not None:
            attempt = Attempt.of(request, key)
            attempt.begin()
            self.attempt = attempt

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.attempt is not None:
            self.attempt.end(response)
        return super().finalize_response(request, response, *args, **kwargs)
