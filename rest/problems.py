"""What views raise when the answer is not the expected one; `errors` gives it its shape."""

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers, status

RETRY_SECONDS = 2
Fields = dict[str, list[str]]


class Problem(exceptions.APIException):
    """An answer that is not the expected one, for a reason that has a name."""

    def __init__(
        self, status_code: int, code: str, message: str, *, fields: Fields | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(message, code)
        self.status_code, self.fields, self.wait = status_code, fields or {}, retry_after


REFUSED = "refused"


def refused(fields: Any) -> serializers.ValidationError:
    """For input that is well formed and still cannot be taken: answered with 422, malformed input with 400."""
    return serializers.ValidationError(fields, REFUSED)


class Conflict(Problem):
    """What was asked does not fit the state that the object is in."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(status.HTTP_409_CONFLICT, code, message)


class Unavailable(Problem):
    """Something that Parley needs is away; nothing was done."""

    def __init__(self) -> None:
        message = _("This could not be done just now. Send it again in a moment.")
        super().__init__(status.HTTP_503_SERVICE_UNAVAILABLE, "unavailable", message, retry_after=RETRY_SECONDS)
