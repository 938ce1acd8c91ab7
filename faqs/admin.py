"""Curation: for people who know their customers, not Django."""

from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from . import gate_admin  # noqa: F401 - registers its pages
from .curation_admin import CurationPages
from .exchange.admin import ExportActions
from .forms import AskForm
from .gaps.admin import GapAdmin
from .ingest.admin import IngestAdmin
from .models import FAQ, Category, EmbeddingModel, Source

__all__ = ["CategoryAdmin", "EmbeddingModelAdmin", "FAQAdmin", "GapAdmin", "IngestAdmin"]

UNUSED_SCRIPTS = ("urlify.js", "prepopulate.js", "xregexp.js", "xregexp.min.js")
STAGE_COLOURS = {"draft": "info", "review": "warning", "published": "success", "archived": "default"}


@admin.register(Category)
class CategoryAdmin(ModelAdmin):
    list_display = ("name", "slug", "position")
    prepopulated_fields: ClassVar[dict[str, tuple[str, ...]]] = {"slug": ("name",)}


class LanguagesFilter(admin.SimpleListFilter):
    title = _("language versions")
    parameter_name = "versions"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("lacking", _("Lacks a language")), ("behind", _("Older than its original"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "lacking":
                return queryset.filter(languages__len__lt=len(settings.LANGUAGES))
            case "behind":
                return queryset.behind_original()
        return queryset


@admin.register(FAQ)
class FAQAdmin(CurationPages, ExportActions):
    list_display = ("question", "category", "language", "shown_status", "next_stage", "in_languages", "view_count")
    list_filter = (LanguagesFilter, "status", ("draft__stage", admin.ChoicesFieldListFilter), "language", "category")
    list_select_related = ("category", "draft")
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
    actions = ("submit", "publish", "unpublish", "export_csv", "export_xlsx", "export_json")
    change_list_template = "admin/faqs/faq/change_list.html"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "base", "question", "answer", "preview", "phrasings", "category", "language", "priority", "keywords",
                    "taken_from",
                )
            },
        ),
        (_("Public page"), {"fields": ("slug", "meta_title", "meta_description")}),
        (_("Figures"), {"fields": ("view_count", "helpful_count", "not_helpful_count", "published_at", "updated_at")}),
    )  # fmt: skip

    @property
    def media(self) -> forms.Media:
        """Without the scripts that make a slug while somebody types: the server makes it."""
        media = super().media
        return forms.Media(css=media._css, js=[script for script in media._js if not script.endswith(UNUSED_SCRIPTS)])

    @display(description=_("Status"), ordering="status", label=STAGE_COLOURS)
    def shown_status(self, faq: FAQ) -> tuple[str, str]:
        return faq.status, faq.get_status_display()

    @display(description=_("Next version"), ordering="draft__stage", label=STAGE_COLOURS)
    def next_stage(self, faq: FAQ) -> tuple[str, str] | None:
        return (faq.next_version.stage, faq.next_version.get_stage_display()) if faq.next_version else None

    @admin.display(description=_("Languages"))
    def in_languages(self, faq: Any) -> str:
        return " ".join(code if code in faq.languages else f"–{code}" for code, _name in settings.LANGUAGES)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).with_languages()

    @admin.display(description=_("Other ways to ask it"))
    def other_ways(self, faq: FAQ) -> str:
        return "\n".join(faq.working.phrasings) or "—"

    @admin.display(description=_("Keywords"))
    def shown_keywords(self, faq: FAQ) -> str:
        return ", ".join(faq.keywords) or "—"

    @admin.display(description=_("As visitors see it"))
    def preview(self, faq: FAQ) -> SafeString | str:
        if not faq.answer:
            return "—"
        # The renderer sanitises.
        html: str = import_string(settings.MARKDOWN_RENDERER)(faq.answer)
        return mark_safe(f'<div class="answer-preview">{html}</div>')  # noqa: S308

    @admin.display(description=_("Taken from"))
    def taken_from(self, faq: FAQ) -> str:
        # The relation remembers what it found: the page asks several times.
        source: Source | None = getattr(faq, "source", None)
        return source.address if source else "—"

    @admin.action(description=_("Submit for review"), permissions=["change"])
    def submit(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self.step_all(request, queryset, "submit")

    @admin.action(description=_("Publish"), permissions=["publish"])
    def publish(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self.step_all(request, queryset, "publish")

    @admin.action(description=_("Unpublish"), permissions=["publish"])
    def unpublish(self, request: HttpRequest, queryset: QuerySet[FAQ]) -> None:
        self.step_all(request, queryset, "unpublish")

    def has_publish_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("faqs.publish_faq")

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
