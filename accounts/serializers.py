"""People and their sign-ins as the API shows them."""

from typing import Any, ClassVar
from zoneinfo import available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import URLValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, Email, ModelSerializer, Secret, Text
from rest.problems import REFUSED, refused

from . import credentials
from .models import SignIn, User


class UserSerializer(ModelSerializer):
    """The signed-in person."""

    avatar_url = Text(
        max_length=500,
        required=False,
        allow_blank=True,
        validators=[URLValidator(schemes=["https"], code=REFUSED)],
        help_text=_("An address that begins with https://."),
    )
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
            raise refused(_("There is no such time zone. Use a name such as Europe/Berlin."))
        return value


class RegisterSerializer(serializers.Serializer[Any]):
    email = Email()
    password = Secret(help_text=_("At least 10 characters, not a common one, not your address."))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            credentials.check_password(attrs["password"], User(email=attrs["email"]))
        except DjangoValidationError as error:
            raise refused({"password": error.messages}) from None
        return attrs


class LoginSerializer(serializers.Serializer[Any]):
    email = Email()
    password = Secret()


class EmailSerializer(serializers.Serializer[Any]):
    email = Email()


class ChallengeAnswerSerializer(serializers.Serializer[Any]):
    challenge = Text(max_length=500)
    code = Text(max_length=32, help_text=_("From the authenticator app, or a recovery code."))


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = Text(max_length=4000)


class KeySerializer(serializers.Serializer[Any]):
    key = Text(max_length=200, help_text=_("The last part of the address in the message."))


class ResetSerializer(KeySerializer):
    password = Secret()


class PasswordChangeSerializer(serializers.Serializer[Any]):
    current_password = Secret()
    new_password = Secret()


class TokensSerializer(serializers.Serializer[Any]):
    """What a signed-in app holds. Keep both out of addresses and logs."""

    access = serializers.CharField(help_text=_("Send it as `Authorization: Bearer <access>`."))
    refresh = serializers.CharField(help_text=_("Exchange it once, at auth/refresh, for the next pair."))
    expires_in = serializers.IntegerField(help_text=_("Seconds until the access token expires."))
    session_id = serializers.UUIDField(source="sign_in.pk")


class ChallengeSerializer(serializers.Serializer[Any]):
    """A second factor is wanted: send the challenge and a code to auth/mfa."""

    challenge = serializers.CharField()
    methods = serializers.ListField(child=serializers.CharField())
    expires_in = serializers.IntegerField()


class SessionSerializer(ModelSerializer):
    """A signed-in app."""

    current = serializers.SerializerMethodField()

    class Meta:
        model = SignIn
        fields: ClassVar[list[str]] = ["id", "user_agent", "address", "created_at", "last_used_at", "current"]
        read_only_fields = fields

    def get_current(self, sign_in: SignIn) -> bool:
        """Whether it is the one that asks."""
        return bool(self.context["request"].auth == sign_in)
