"""Curation: for people who know their customers, not Django."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from . import services
from .exchange.admin import ExportActions
from .gaps.admin import GapAdmin
from .ingest.admin import IngestAdmin
from .models import FAQ, Category, EmbeddingModel, Phrasing, Source

__all__ = ["CategoryAdmin", "EmbeddingModelAdmin", "FAQAdmin", "GapAdmin", "IngestAdmin"]


class KeywordsField(forms.Field):
    """A JSON list of words, edited as words between commas."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [word.strip() for word in (value or "").split(",") if word.strip()]

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class FAQForm(forms.ModelForm):  # type: ignore[type-arg]
    keywords = KeywordsField(required=False, help_text=_("Words between commas."))

    class Meta:
        model = FAQ
        exclude: ClassVar[list[str]] = []


class AskForm(forms.Form):
    question = forms.CharField(
        max_length=500,
        label=_("Question"),
        help_text=_("As a visitor would ask it."),
        widget=UnfoldAdminTextInputWidget,
    )
    language = forms.ChoiceField(choices=settings.LANGUAGES, label=_("Language"), widget=UnfoldAdminSelectWidget)


class PhrasingInline(TabularInline):
    model = Phrasing
    extra = 1


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    list_display = ("name", "slug", "position")
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"slug": ("name",)}


@admin.register(FAQ)
class FAQAdmin(ExportActions):
    form = FAQForm
    inlines: ClassVar[list[type[TabularInline]]] = [PhrasingInline]
    list_display = ("question", "category", "language", "status", "priority", "view_count", "updated_at")
    list_filter = ("status", "language", "category")
    list_select_related = ("category",)
    list_per_page = 50
    search_fields = ("question", "answer", "phrasings__text")
    readonly_fields = (
        "preview",
        "taken_from",
        "view_count",
        "helpful_count",
        "not_helpful_count",
        "published_at",
        "updated_at",
    )
    actions = ("publish", "submit", "archive", "export_csv", "export_xlsx", "export_json")
    change_list_template = "admin/faqs/faq/change_list.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "question",
                    "answer",
                    "preview",
                    "category",
                    "language",
                    "status",
                    "priority",
                    "keywords",
                    "taken_from",
                )
            },
        ),
        (_("Public page"), {"fields": ("slug", "meta_title", "meta_description")}),
        (_("Figures"), {"fields": ("view_count", "helpful_count", "not_helpful_count", "published_at", "updated_at")}),
    )

    @admin.display(description=_("As visitors see it"))
    def preview(self, faq: FAQ) -> SafeString | str:
        if not faq.answer:
            return "—"
        # The renderer sanitises.
        html: str = import_string(settings.MARKDOWN_RENDERER)(faq.answer)
        return mark_safe(html)  # noqa: S308

    @admin.display(description=_("Taken from"))
    def taken_from(self, faq: FAQ) -> str:
        source = Source.objects.filter(faq=faq).first() if faq.pk else None
        return source.address if source else "—"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        services.announce(form.instance.pk)

    def _set_status(self, request: HttpRequest, queryset: QuerySet[FAQ], status: FAQ.Status) -> None:
        changed = services.set_status(faqs=queryset, status=status)
        already = queryset.count() - changed
        text = _("%(changed)d changed to “%(status)s”, %(already)d already were.")
        self.message_user(
            request, text % {"changed": changed, "status": status.label, "already": already}, messages.SUCCESS
        )

    @admin.action(description=_("Publish"), permissions=["change"])
    def publish(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self._set_status(request, queryset, FAQ.Status.PUBLISHED)

    @admin.action(description=_("Submit for review"), permissions=["change"])
    def submit(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self._set_status(request, queryset, FAQ.Status.REVIEW)

    @admin.action(description=_("Archive (unpublish)"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self._set_status(request, queryset, FAQ.Status.ARCHIVED)

    def get_urls(self) -> list[Any]:
        return [path("ask/", self.admin_site.admin_view(self.ask), name="faqs_faq_ask"), *super().get_urls()]

    def ask(self, request: HttpRequest) -> HttpResponse:
        """What the assistant would find for a question, with scores."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = AskForm(request.GET or None, initial={"language": "en"})
        context = {
            **self.admin_site.each_context(request),
            "form": form,
            "title": _("Ask the assistant"),
            "opts": FAQ._meta,
        }
        if form.is_valid():
            preview = import_string(settings.RETRIEVAL_PREVIEW)
            context["decision"], context["passages"] = preview(**form.cleaned_data)
        return TemplateResponse(request, "admin/faqs/ask.html", context)


@admin.register(EmbeddingModel)
class EmbeddingModelAdmin(ModelAdmin):
    list_display = ("name", "provider", "width", "status", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
