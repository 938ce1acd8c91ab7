"""Fields that take exactly what the OpenAPI document promises: a text is a JSON string, a number a JSON number."""

from typing import Any, ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers


class _WellFormed(serializers.Field[str, str, str, Any]):
    """Half a surrogate pair can neither be stored nor sent back, not even in the message that refuses it."""

    default_error_messages: ClassVar[dict[str, Any]] = {
        "malformed": _("This holds half a surrogate pair. Send well-formed Unicode."),
    }

    def check_form(self, text: str) -> None:
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail("malformed")


class Text(_WellFormed, serializers.CharField):
    """A JSON string of well-formed Unicode without NUL."""

    default_error_messages: ClassVar[dict[str, Any]] = {"not_text": _("This must be a JSON string.")}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("not_text")
        self.check_form(data)
        # As it was sent: spaces around it, which go, count too.
        if self.max_length is not None and len(data) > self.max_length:
            self.fail("max_length", max_length=self.max_length)
        return super().to_internal_value(data)


class Email(Text, serializers.EmailField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=254, **kwargs)


class Secret(Text):
    """Taken as it is, spaces too; never sent back."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=256, **kwargs)


class Whole(serializers.IntegerField):
    default_error_messages: ClassVar[dict[str, Any]] = {
        "not_whole": _("This must be a JSON number without a fraction.")
    }

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("not_whole")
        # 1e999 is infinite, which is no whole number either.
        if isinstance(data, float) and not data.is_integer():
            self.fail("not_whole")
        return super().to_internal_value(int(data))


class YesNo(serializers.BooleanField):
    default_error_messages: ClassVar[dict[str, Any]] = {"not_boolean": _("This must be true or false.")}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("not_boolean")
        return bool(data)


class Choice(_WellFormed, serializers.ChoiceField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        self.check_form(data)
        return super().to_internal_value(data)


class Identifier(serializers.UUIDField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class ModelSerializer(serializers.ModelSerializer[Any]):
    """A model's serializer out of the fields above."""

    serializer_field_mapping: ClassVar[dict[Any, Any]] = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: Text,
        models.TextField: Text,
        models.IntegerField: Whole,
        models.PositiveIntegerField: Whole,
        models.PositiveSmallIntegerField: Whole,
        models.PositiveBigIntegerField: Whole,
        models.BooleanField: YesNo,
        models.UUIDField: Identifier,
    }
    serializer_choice_field = Choice
