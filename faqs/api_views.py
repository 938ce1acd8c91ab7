"""The knowledge base over the API: everybody reads what is published; curators see and write all of it."""

from typing import cast

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django_filters import ChoiceFilter
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics, status
from rest_framework.generics import get_object_or_404
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from accounts.permissions import CuratorsWrite, HasAccount
from rest.filters import Filters, IdFilter
from rest.idempotency import Idempotent
from rest.pages import Pages
from rest.problems import Conflict, refused
from rest.resources import IF_MATCH, Changeable, Removable, changed_meanwhile
from rest.schema import failure

from . import curation, drafts, services, workflow
from .help import services as votes
from .models import FAQ, Category
from .serializers import (
    CategorySerializer,
    FAQSerializer,
    SearchQuerySerializer,
    SearchResultSerializer,
    StepSerializer,
    VoteSerializer,
)


class CategoryPages(Pages):
    ordering = ("position", "name")


class FAQPages(Pages):
    ordering = ("-priority", "question")


class FAQFilter(Filters):
    category = IdFilter()
    language = ChoiceFilter(choices=settings.LANGUAGES)
    status = ChoiceFilter(choices=FAQ.Status.choices)


# What is in use cannot be deleted.
REMOVAL = extend_schema_view(delete=extend_schema(parameters=[IF_MATCH], responses={204: None, 409: failure(409)}))


def _slug_taken() -> Exception:
    return refused({"slug": [_("Another FAQ in this language has this slug. Choose a different one.")]})


class _FAQs(generics.GenericAPIView[FAQ]):
    permission_classes = (CuratorsWrite,)
    serializer_class = FAQSerializer

    def get_queryset(self) -> QuerySet[FAQ]:
        visible = FAQ.objects.visible_to(self.request.user)  # type: ignore[attr-defined]
        return visible.select_related("category", "draft").prefetch_related("phrasings")  # type: ignore[no-any-return]


class FAQsView(Idempotent, _FAQs, generics.ListAPIView[FAQ]):
    pagination_class = FAQPages
    filterset_class = FAQFilter
    ordering_fields = ("priority", "question", "updated_at", "view_count")

    @extend_schema(responses={201: FAQSerializer})
    def post(self, request: Request) -> Response:
        """Write a new FAQ: a draft until it is published."""
        serializer = cast(FAQSerializer, self.get_serializer(data=request.data))
        serializer.is_valid(raise_exception=True)
        values = serializer.validated_data
        slug = values.get("slug") or drafts.free_slug(values["question"], values.get("language", "en"))
        faq = FAQ(slug=slug, language=values.get("language", "en"))
        try:
            faq = curation.create(faq=faq, content=serializer.content(), by=cast(User, request.user))
        except IntegrityError:
            raise _slug_taken() from None
        return Response(self.get_serializer(faq).data, status.HTTP_201_CREATED)


@REMOVAL
class FAQView(_FAQs, Changeable, Removable):
    counted = ("view_count", "helpful_count", "not_helpful_count")

    def write(self, serializer: FAQSerializer) -> FAQ:
        """Of a published FAQ it becomes the next version."""
        faq, values = cast(FAQ, serializer.instance), serializer.validated_data
        address = {name: values[name] for name in ("slug", "language") if name in values}
        by, content = cast(User, self.request.user), serializer.content()
        try:
            with transaction.atomic():
                curation.save(faq_id=faq.pk, content=content, base=faq.working.digest, by=by, **address)
        except IntegrityError:
            raise _slug_taken() from None
        except curation.Conflict:
            raise changed_meanwhile() from None
        except workflow.NotAllowed as reason:
            raise Conflict("not_allowed", str(reason)) from None
        return self.find(lock=False)  # type: ignore[no-any-return]

    def remove(self, instance: FAQ) -> None:
        try:
            services.delete_faq(faq=instance)
        except services.StillPublished:
            raise Conflict("still_published", _("Visitors read it: archive it first.")) from None


class StepsView(Idempotent):
    permission_classes = (HasAccount,)

    @extend_schema(request=StepSerializer, responses={202: None})
    def post(self, request: Request, pk: int) -> Response:
        """Take a step of the workflow. What visitors would notice is tried against the golden questions first, by a worker."""
        serializer = StepSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        get_object_or_404(FAQ.objects.visible_to(request.user), pk=pk)  # type: ignore[attr-defined]
        try:
            curation.take_step(faq_id=pk, by=cast(User, request.user), **serializer.validated_data)
        except workflow.NotAllowed as reason:
            raise Conflict("not_allowed", str(reason)) from None
        return Response(status=status.HTTP_202_ACCEPTED)


class VoteView(Idempotent):
    @extend_schema(request=VoteSerializer, responses={204: None})
    def post(self, request: Request, pk: int) -> Response:
        """Say whether a FAQ helped; another verdict replaces it."""
        serializer = VoteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        votes.vote(faq_id=pk, user=cast(User, request.user), **serializer.validated_data)
        return Response(status=status.HTTP_204_NO_CONTENT)


class SearchView(APIView):
    permission_classes = (AllowAny,)

    @extend_schema(parameters=[SearchQuerySerializer], responses=SearchResultSerializer)
    def get(self, request: Request) -> Response:
        """The published FAQs nearest in meaning to a question, as the assistant finds them."""
        query = SearchQuerySerializer(data=request.query_params.dict())
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


@REMOVAL
class CategoryView(_Categories, Changeable, Removable):
    def remove(self, instance: Category) -> None:
        try:
            services.delete_category(category=instance)
        except services.CategoryInUse:
            raise Conflict("category_in_use", _("Move or delete its FAQs first.")) from None
