"""Lists come in pages that a cursor continues. It holds a value of the first field that the list is ordered by, so that late pages
are as quick as early ones and rows that come before it move nothing; only rows that share the value are counted through."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from .filters import LARGEST
from .problems import refused


class Pages(CursorPagination):
    page_size = 50
    max_page_size = 200
    page_size_query_param = "limit"
    ordering: str | tuple[str, ...] = "-pk"
    # Any number of rows may share a value; a limit here is where their pages would begin to repeat themselves.
    offset_cutoff = LARGEST

    def get_ordering(self, *args: Any) -> tuple[str, ...]:
        """Rows are counted through: those that the fields leave equal need an order too."""
        return (*super().get_ordering(*args), "pk")

    def get_page_size(self, request: Request) -> int:
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= self.max_page_size):
            message = _("This must be a whole number from 1 to %(most)d.") % {"most": self.max_page_size}
            raise serializers.ValidationError({self.page_size_query_param: [message]})
        return int(wanted)

    def decode_cursor(self, request: Request) -> Any:
        try:
            return super().decode_cursor(request)
        except exceptions.NotFound:
            raise self._foreign() from None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        try:
            return super().paginate_queryset(queryset, request, view)
        # A cursor of another ordering, or a made-up one: the field cannot have the value that it holds.
        except (ValueError, ValidationError, DataError):
            if self.cursor_query_param not in request.query_params:
                raise
            raise self._foreign() from None

    def _foreign(self) -> Exception:
        return refused({self.cursor_query_param: [_("This is not a cursor of this list.")]})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for one in parameters:
            if one["name"] == self.page_size_query_param:
                one["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return parameters
