"""Consent, copies and being forgotten, as the API shows them."""

from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, ModelSerializer, YesNo

from .models import Consent, Erasure, Export


class StandingSerializer(serializers.Serializer[Any]):
    """What holds for one purpose; not `current` when the text has changed since the decision."""

    purpose = serializers.ChoiceField(Consent.Purpose.choices)
    version = serializers.CharField(help_text=_("Of the text that holds today."))
    granted = serializers.BooleanField()
    current = serializers.BooleanField()
    decided_at = serializers.DateTimeField(source="decision.created_at", default=None, allow_null=True)


class DecisionSerializer(serializers.Serializer[Any]):
    purpose = Choice(Consent.Purpose.choices)
    granted = YesNo()


class ExportSerializer(ModelSerializer):
    """A copy of everything about the person; it can be fetched once it is `ready`."""

    class Meta:
        model = Export
        fields: ClassVar[list[str]] = ["id", "status", "progress", "created_at", "expires_at"]
        read_only_fields = fields


class ErasureSerializer(ModelSerializer):
    """When everything about the person will be erased."""

    class Meta:
        model = Erasure
        fields: ClassVar[list[str]] = ["id", "requested_at", "due_at"]
        read_only_fields = fields
