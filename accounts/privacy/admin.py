"""Admin pages that show personal data: who looked is written down."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from ..models import User
from . import audit
from .models import AuditEntry


class AuditedAdmin(ModelAdmin):
    """Records every list, page and change; `subject_field` names the person in a row."""

    subject_field: ClassVar[str] = "user_id"

    def _record(
        self, request: HttpRequest, action: AuditEntry.Action, obj: Model | None = None, **details: Any
    ) -> None:
        subject: UUID | None = getattr(obj, self.subject_field, None)
        if obj is not None and not isinstance(obj, User):
            details["object"] = str(obj.pk)
        kind = self.model._meta.label_lower
        if isinstance(request.user, User):
            audit.record(actor=request.user, action=action, kind=kind, subject=subject, details=details)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().changelist_view(request, extra_context)
        if response.status_code == 200:
            # What was looked for may name a person: only that something was.
            self._record(request, AuditEntry.Action.LIST, searched=int("q" in request.GET))
        return response

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        if (shown := kwargs.get("obj")) is not None:
            self._record(request, AuditEntry.Action.VIEW, shown)
        response: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return response

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response: HttpResponse = super().history_view(request, object_id, extra_context)
        if response.status_code == 200:
            self._record(request, AuditEntry.Action.VIEW, self.get_object(request, object_id), history=1)
        return response

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, AuditEntry.Action.ADD, obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        fields = [name for part in message if isinstance(part, dict) for name in _fields(part)]
        self._record(request, AuditEntry.Action.CHANGE, obj, fields=fields)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for obj in queryset:
            self._record(request, AuditEntry.Action.DELETE, obj)
        return super().log_deletions(request, queryset)


def _fields(part: dict[str, Any]) -> list[str]:
    return [str(name) for name in part.get("changed", {}).get("fields", [])]


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):
    """To read only; the database would refuse anything else."""

    list_display = ("number", "at", "actor", "action", "kind", "subject")
    list_filter = ("action", "kind")
    search_fields = ("actor", "subject")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
