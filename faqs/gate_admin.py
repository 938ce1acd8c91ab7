"""Golden questions, what happened to each publication on its way through them, and the links of what was published."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin
from unfold.decorators import display

from . import publishing, workflow
from .models import GoldenQuestion, LinkCheck, PublishRun
from .writing_admin import person

STATUS_COLOURS = {
    "queued": "info",
    "running": "info",
    "done": "success",
    "blocked": "danger",
    "failed": "danger",
    "stale": "warning",
}
LINK_COLOURS = {"ok": "success", "broken": "danger", "refused": "danger", "unsure": "warning"}


@admin.register(GoldenQuestion)
class GoldenQuestionAdmin(ModelAdmin):
    list_display = ("question", "language", "answered_by")
    list_filter = ("language", ("expected", admin.EmptyFieldListFilter))
    list_select_related = ("expected",)
    list_per_page = 50
    search_fields = ("question", "expected__question")
    autocomplete_fields = ("expected",)

    @admin.display(description=gettext_lazy("Must be answered by"), ordering="expected__question")
    def answered_by(self, golden: GoldenQuestion) -> str:
        return str(golden.expected) if golden.expected else _("— must be declined —")


@admin.register(PublishRun)
class PublishRunAdmin(ModelAdmin):
    list_display = ("faq", "action", "shown_status", "questions", "requested_by", "due_at", "ended_at")
    list_filter = ("status", "action")
    list_select_related = ("faq", "requested_by")
    list_per_page = 50
    search_fields = ("faq__question",)
    fields: ClassVar[tuple[str, ...]] = ()
    change_form_template = "admin/faqs/run.html"

    @display(description=gettext_lazy("Status"), ordering="status", label=STATUS_COLOURS)
    def shown_status(self, run: PublishRun) -> tuple[str, str]:
        return run.status, run.get_status_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("faq", "requested_by", "overridden_by")

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        run: PublishRun = context["original"]
        context |= {
            "run": run,
            "title": str(run),
            "show_save": False,
            "may_override": run.status == run.Status.BLOCKED and workflow.may(person(request), "override_gate"),
            "may_cancel": run.status == run.Status.QUEUED and workflow.may(person(request), "publish_faq"),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("<int:run_id>/progress/", view(self.progress), name="faqs_publishrun_progress"),
            path("<int:run_id>/override/", view(require_POST(self.override)), name="faqs_publishrun_override"),
            path("<int:run_id>/cancel/", view(require_POST(self.cancel)), name="faqs_publishrun_cancel"),
            *super().get_urls(),
        ]

    def progress(self, request: HttpRequest, run_id: int) -> JsonResponse:
        """How far a run is, for the page that waits for it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        run = PublishRun.objects.filter(pk=run_id).only("status").first()
        if run is None:
            raise Http404
        return JsonResponse(
            {"status": run.status, "open": run.is_open} | import_string(settings.PUBLISH_PROGRESS)(run_id)
        )

    def override(self, request: HttpRequest, run_id: int) -> HttpResponse:
        reason = request.POST.get("reason", "")
        return self._change(
            request, run_id, lambda: publishing.override(run_id=run_id, by=person(request), reason=reason)
        )

    def cancel(self, request: HttpRequest, run_id: int) -> HttpResponse:
        return self._change(request, run_id, lambda: publishing.cancel(run_id=run_id, by=person(request)))

    def _change(self, request: HttpRequest, run_id: int, change: Any) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            change()
        except PublishRun.DoesNotExist:
            raise Http404 from None
        except workflow.NotAllowed as reason:
            messages.error(request, str(reason))
        return redirect("admin:faqs_publishrun_change", run_id)


@admin.register(LinkCheck)
class LinkCheckAdmin(ModelAdmin):
    list_display = ("address", "shown_status", "detail", "faq", "checked_at")
    list_display_links = ("faq",)
    list_filter = ("status",)
    list_select_related = ("faq",)
    list_per_page = 50
    search_fields = ("address", "faq__question")

    @display(description=gettext_lazy("Status"), ordering="status", label=LINK_COLOURS)
    def shown_status(self, link: LinkCheck) -> tuple[str, str]:
        return link.status, link.get_status_display()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
