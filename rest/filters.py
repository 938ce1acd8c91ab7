"""Filters that refuse what they do not understand instead of ignoring it."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django_filters import Filter, FilterSet, TypedChoiceFilter
from drf_spectacular.utils import extend_schema_field

LARGEST = 2**31 - 1


class Filters(FilterSet):
    """A filter that is sent empty asks for nothing that exists: it is refused too."""

    def is_valid(self) -> bool:
        super().is_valid()
        for name in self.filters:
            if self.data.get(name) == "":
                self.form.add_error(name, _("Send a value, or leave it out."))
        return not self.errors


@extend_schema_field({"type": "boolean"})
class YesNoFilter(TypedChoiceFilter):
    """`true` or `false`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=[("true", "true"), ("false", "false")], coerce=lambda v: v == "true", **kwargs)


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": LARGEST})
class IdFilter(Filter):
    """The number of a row."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST, **kwargs)
