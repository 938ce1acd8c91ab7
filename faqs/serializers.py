"""FAQs as the API shows them and as editors write them."""

from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from rest.fields import Choice, ModelSerializer, Text, Whole, YesNo

from .content import Content
from .models import FAQ, Category

CURATE = "faqs.view_faq"
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
    """A question with its answer (Markdown) in one language.

    Visitors see what is published, curators what is being worked on; `stage` is the status of that.
    """

    category: "serializers.PrimaryKeyRelatedField[Category]" = serializers.PrimaryKeyRelatedField(
        queryset=Category.objects.all(), pk_field=Whole()
    )
    keywords = serializers.ListField(child=Text(max_length=100), max_length=KEYWORDS, required=False)
    phrasings = Phrasings(max_length=PHRASINGS, required=False, help_text=_("Other ways in which people ask it."))
    priority = Whole(min_value=0, max_value=100, required=False)
    language = Choice(settings.LANGUAGES, required=False)
    stage = serializers.CharField(read_only=True)
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
            "stage",
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
            "status",
            "view_count",
            "helpful_count",
            "not_helpful_count",
            "published_at",
        ]
        # Two languages may share a slug; the model says it when one language would.
        validators: ClassVar[list[Any]] = []

    def to_representation(self, instance: FAQ) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        if instance.next_version and self.context["request"].user.has_perm(CURATE):
            working = instance.working.to_json()
            category = working.pop("category_id")
            return shown | working | {"category": category}
        return shown | {"stage": instance.status}

    def content(self) -> Content:
        """What was sent, on top of what is being worked on."""
        values = dict(self.validated_data)
        address = ("slug", "language")
        texts = {name: value for name, value in values.items() if name not in {"category", *address}}
        if "category" in values:
            texts["category_id"] = values["category"].pk
        held = self.instance.working.to_json() if self.instance else {}
        return Content.from_json({"phrasings": [], "keywords": []} | held | texts)

    def validate_phrasings(self, value: list[str]) -> list[str]:
        return sorted(set(value))


class StepSerializer(serializers.Serializer[Any]):
    """A step of the workflow, such as `submit`, `publish`, `return`, `archive` or `discard`."""

    step = Text(max_length=32)
    comment = Text(max_length=1000, required=False, allow_blank=True, default="")


class VoteSerializer(serializers.Serializer[Any]):
    helpful = YesNo()


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
