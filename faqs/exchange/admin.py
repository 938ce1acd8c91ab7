"""Import and export for editors: upload, look at what would happen, choose, import."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldBooleanWidget

from .. import jobs
from ..job_admin import JobAdmin
from . import selectors, services
from .files import Unwritable
from .models import Import

TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


class UploadForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV, XLSX or JSON, as an export has it. Nothing is changed before you have seen what would be."),
        widget=UnfoldAdminFileFieldWidget,
    )
    create_categories = forms.BooleanField(
        label=_("Create missing categories"),
        required=False,
        help_text=_("Otherwise a row with an unknown category is an error."),
        widget=UnfoldBooleanWidget,
    )

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        if problem := services.acceptable(file.name or "", file.size or 0):
            raise forms.ValidationError(problem)
        return file


@admin.register(Import)
class ImportAdmin(JobAdmin):
    list_display = ("name", "status", "total", "created_by", "created_at", "finished_at")
    list_select_related = ("created_by",)
    list_filter = ("status",)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = UploadForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            create = form.cleaned_data["create_categories"]
            job = services.upload(user=request.user, name=file.name, content=file.read(), create_categories=create)  # type: ignore[arg-type]
            return redirect("admin:faqs_import_change", job.pk)
        return self._page(
            request, "admin/faqs/import_upload.html", title=_("Import FAQs"), form=form, export_formats=list(TYPES)
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        if request.method == "POST":
            return self._confirm(request, job)
        shown = {"errors": selectors.errors(job), "conflicts": selectors.conflicts(job)} if not job.is_waiting else {}
        return self._page(
            request,
            "admin/faqs/import.html",
            title=job.name,
            job=job,
            summary=selectors.summary(job),
            progress=jobs.progress(job) if job.is_waiting else None,
            may_import=self.has_add_permission(request),
            **shown,
        )

    def _confirm(self, request: HttpRequest, job: Import) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        chosen = [int(number) for number in request.POST.getlist("overwrite") if number.isdecimal()]
        if not services.confirm(job=job, user=request.user, overwrite=chosen):  # type: ignore[arg-type]
            self.message_user(request, _("This import is not ready, or runs already."), messages.WARNING)
        return redirect("admin:faqs_import_change", job.pk)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {**self.admin_site.each_context(request), "opts": Import._meta}
        return TemplateResponse(request, template, context)


class ExportActions(ModelAdmin):
    """Gives the FAQ list its exports: the chosen ones as an action, all of them by address."""

    def get_urls(self) -> list[Any]:
        export = self.admin_site.admin_view(self.export_all)
        return [path("export/<str:format>/", export, name="faqs_faq_export"), *super().get_urls()]

    def export_all(self, request: HttpRequest, format: str) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        if format not in TYPES:
            raise Http404
        return self._export(request, self.get_queryset(request), format) or redirect("admin:faqs_faq_changelist")

    def _export(self, request: HttpRequest, faqs: QuerySet[Any], format: str) -> HttpResponse | None:
        ordered = faqs.select_related("category").prefetch_related("phrasings").order_by("pk")
        try:
            content = services.export(ordered, format)
        except Unwritable as problem:
            self.message_user(request, str(problem), messages.ERROR)
            return None
        name = f"faqs-{timezone.localdate():%Y-%m-%d}.{format}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(content, content_type=TYPES[format], headers=headers)

    @admin.action(description=_("Export as CSV"), permissions=["view"])
    def export_csv(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._export(request, queryset, "csv")

    @admin.action(description=_("Export as XLSX"), permissions=["view"])
    def export_xlsx(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._export(request, queryset, "xlsx")

    @admin.action(description=_("Export as JSON"), permissions=["view"])
    def export_json(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return self._export(request, queryset, "json")
