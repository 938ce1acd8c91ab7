"""People and their sign-ins as the API shows them."""

from typing import ClassVar
from zoneinfo import available_timezones

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, ModelSerializer, Text

from .models import User


class UserSerializer(ModelSerializer):
    """The signed-in person."""

    language = Choice(settings.LANGUAGES, required=False)
    timezone = Text(max_length=64, required=False, help_text=_("A name of the IANA database, such as Europe/Berlin."))

    class Meta:
        model = User
        fields: ClassVar[list[str]] = [
            "id",
            "email",
            "first_name",
            "last_name",
            "avatar_url",
            "language",
            "timezone",
            "role",
            "status",
            "created_at",
            "updated_at",
        ]
        read_only_fields: ClassVar[list[str]] = ["id", "email", "role", "status", "created_at", "updated_at"]

    def validate_timezone(self, value: str) -> str:
        if value not in available_timezones():
            raise serializers.ValidationError(_("There is no such time zone. Use a name such as Europe/Berlin."))
        return value
