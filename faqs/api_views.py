"""The knowledge base over the API: everybody reads what is published; curators see and write all of it."""

from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django_filters import ChoiceFilter, FilterSet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.permissions import CuratorsWrite
from rest.filters import IdFilter
from rest.idempotency import Idempotent
from rest.pages import Pages
from rest.problems import Conflict, refused
from rest.resources import IF_MATCH, Changeable, Removable
from rest.schema import failure

from . import services
from .models import FAQ, Category
from .serializers import CategorySerializer, FAQSerializer, SearchQuerySerializer, SearchResultSerializer


class CategoryPages(Pages):
    ordering = ("position", "name")


class FAQPages(Pages):
    ordering = ("-priority", "question")


class FAQFilter(FilterSet):
    category = IdFilter()
    language = ChoiceFilter(choices=settings.LANGUAGES)
    status = ChoiceFilter(choices=FAQ.Status.choices)


def save(faq: FAQ, values: dict[str, Any]) -> FAQ:
    try:
        return services.save_faq(faq=faq, **values)
    except services.SlugTaken:
        message = _("Another FAQ in this language has this slug. Choose a different one.")
        raise refused({"slug": [message]}) from None


class _FAQs(generics.GenericAPIView[FAQ]):
    permission_classes = (CuratorsWrite,)
    serializer_class = FAQSerializer

    def get_queryset(self) -> QuerySet[FAQ]:
        visible = FAQ.objects.visible_to(self.request.user)  # type: ignore[attr-defined]
        return visible.select_related("category").prefetch_related("phrasings")  # type: ignore[no-any-return]


class FAQsView(Idempotent, _FAQs, generics.ListAPIView[FAQ]):
    pagination_class = FAQPages
    filterset_class = FAQFilter
    ordering_fields = ("priority", "question", "updated_at", "view_count")

    @extend_schema(responses={201: FAQSerializer})
    def post(self, request: Request) -> Response:
        serializer = self.get_serializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        faq = save(FAQ(), serializer.validated_data)
        return Response(self.get_serializer(faq).data, status.HTTP_201_CREATED)


class FAQView(_FAQs, Changeable, Removable):
    def change(self, instance: FAQ, **values: Any) -> FAQ:
        changed = save(instance, values)
        # What was prefetched is what it was before.
        changed._prefetched_objects_cache = {}  # type: ignore[attr-defined]
        return changed

    def remove(self, instance: FAQ) -> None:
        services.delete_faq(faq=instance)


class SearchView(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(parameters=[SearchQuerySerializer], responses=SearchResultSerializer)
    def get(self, request: Request) -> Response:
        """The published FAQs nearest in meaning to a question, as the assistant finds them."""
        query = SearchQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        lookup = import_string(settings.RETRIEVAL_LOOKUP)
        decision, passages = lookup(query.validated_data["q"], query.validated_data["language"])
        return Response(SearchResultSerializer({"decision": decision, "results": passages}).data)


class _Categories(generics.GenericAPIView[Category]):
    permission_classes = (CuratorsWrite,)
    serializer_class = CategorySerializer
    queryset = Category.objects.all()


class CategoriesView(Idempotent, _Categories, generics.ListCreateAPIView[Category]):
    pagination_class = CategoryPages
    filter_backends = ()


@extend_schema_view(delete=extend_schema(parameters=[IF_MATCH], responses={204: None, 409: failure(409)}))
class CategoryView(_Categories, Changeable, Removable):
    def change(self, instance: Category, **values: Any) -> Category:
        for name, value in values.items():
            setattr(instance, name, value)
        instance.save()
        return instance

    def remove(self, instance: Category) -> None:
        try:
            services.delete_category(category=instance)
        except services.CategoryInUse:
            raise Conflict("category_in_use", _("Move or delete its FAQs first.")) from None
