"""Filters that refuse what they do not understand instead of ignoring it."""

from typing import Any

from django_filters import TypedChoiceFilter


class YesNoFilter(TypedChoiceFilter):
    """`true` or `false`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce=lambda v: v == "true", **kwargs)
