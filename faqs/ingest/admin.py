"""Help pages for editors: name or upload one, get drafts."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminURLInputWidget

from ..job_admin import JobAdmin
from ..models import Category
from . import services
from .models import Ingest


class IngestForm(forms.Form):
    url = forms.URLField(
        label=_("Address of the page"),
        required=False,
        max_length=1000,
        assume_scheme="https",
        widget=UnfoldAdminURLInputWidget,
    )
    file = forms.FileField(
        label=_("Or a file"), required=False, help_text=_("HTML, Markdown or PDF."), widget=UnfoldAdminFileFieldWidget
    )
    category = forms.ModelChoiceField(
        Category.objects.all(), label=_("Category of the drafts"), widget=UnfoldAdminSelectWidget
    )
    language = forms.ChoiceField(choices=settings.LANGUAGES, label=_("Language"), widget=UnfoldAdminSelectWidget)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if bool(data.get("url")) == bool(data.get("file")) and not {"url", "file"} & set(self.errors):
            raise forms.ValidationError(_("Give either an address or a file."))
        if data.get("file") and data["file"].size > settings.IMPORT_MAX_BYTES:
            limit = settings.IMPORT_MAX_BYTES // (1024 * 1024)
            self.add_error("file", _("The file is larger than %d MB.") % limit)
        return data


@admin.register(Ingest)
class IngestAdmin(JobAdmin):
    list_display = ("address", "status", "category", "language", "created_by", "created_at")
    list_select_related = ("created_by", "category")
    list_filter = ("status",)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = IngestForm(request.POST or None, request.FILES or None, initial={"language": "en"})
        if request.method == "POST" and form.is_valid():
            data, file = form.cleaned_data, form.cleaned_data["file"]
            job = services.submit(
                user=request.user,  # type: ignore[arg-type]
                address=file.name if file else data["url"],
                content=file.read() if file else None,
                language=data["language"],
                category=data["category"],
            )
            return redirect("admin:faqs_ingest_change", job.pk)
        return self._page(request, "admin/faqs/ingest_add.html", title=_("Drafts from a help page"), form=form)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        sources = job.sources.select_related("faq").order_by("pk")
        return self._page(request, "admin/faqs/ingest.html", title=job.address, job=job, sources=sources)

    def _page(self, request: HttpRequest, template: str, **context: Any) -> TemplateResponse:
        context |= {**self.admin_site.each_context(request), "opts": Ingest._meta}
        return TemplateResponse(request, template, context)
