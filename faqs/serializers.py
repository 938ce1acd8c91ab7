"""FAQs as the API shows them and as editors write them."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, ModelSerializer, Text, Whole

from .models import FAQ, Category

KEYWORDS = 50
PHRASINGS = 100


class CategorySerializer(ModelSerializer):
    class Meta:
        model = Category
        fields: ClassVar[list[str]] = ["id", "name", "slug", "description", "position"]


class Phrasings(serializers.ListField):
    """A FAQ's phrasings as their texts."""

    child = Text(max_length=300)

    def to_representation(self, data: Any) -> list[str]:
        return [phrasing.text for phrasing in data.all()]


class FAQSerializer(ModelSerializer):
    """A question with its answer (Markdown) in one language."""

    category: "serializers.PrimaryKeyRelatedField[Category]" = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), pk_field=Whole()
    )
    keywords = serializers.ListField(child=Text(max_length=100), max_length=KEYWORDS, required=False)
    phrasings = Phrasings(max_length=PHRASINGS, required=False, help_text=_("Other ways in which people ask it."))
    priority = Whole(min_value=0, max_value=100, required=False)
    language = Choice(settings.LANGUAGES, required=False)
    url = serializers.CharField(source="get_absolute_url", read_only=True)

    class Meta:
        model = FAQ
        fields: ClassVar[list[str]] = [
            "id",
            "question",
            "answer",
            "category",
            "language",
            "status",
            "priority",
            "keywords",
            "phrasings",
            "slug",
            "url",
            "meta_title",
            "meta_description",
            "view_count",
            "helpful_count",
            "not_helpful_count",
            "created_at",
            "updated_at",
            "published_at",
        ]
        read_only_fields: ClassVar[list[str]] = [
            "url",
            "view_count",
            "helpful_count",
            "not_helpful_count",
            "published_at",
        ]
        # Two languages may share a slug; the model says it when one language would.
        validators: ClassVar[list[Any]] = []

    def validate_phrasings(self, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))


class SearchQuerySerializer(serializers.Serializer[Any]):
    q = Text(max_length=500, help_text=_("A question, as a visitor would ask it."))
    language = Choice(settings.LANGUAGES, required=False, default="en")


class FoundSerializer(serializers.Serializer[Any]):
    """A published FAQ as the search found it; `score` is a cosine from 0 to 1."""

    faq_id = serializers.IntegerField()
    question = serializers.CharField()
    answer = serializers.CharField()
    language = serializers.CharField()
    url = serializers.CharField()
    score = serializers.FloatField()
    matched = serializers.ChoiceField(["question", "phrasing", "answer"])


class SearchResultSerializer(serializers.Serializer[Any]):
    """What the assistant would do with the question, and the FAQs it would do it with."""

    decision = serializers.ChoiceField(["answer", "clarify", "decline"])
    results = FoundSerializer(many=True)
