from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from . import api_keys
from .models import APIKey, User
from .privacy import erasure
from .privacy.admin import AuditedAdmin, AuditEntryAdmin
from .roles import sync_role

__all__ = ["APIKeyAdmin", "AuditEntryAdmin", "UserAdmin"]


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin):  # type: ignore[type-arg]
    subject_field = "pk"
    actions = ("erase",)
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "role", "status", "last_login")
    list_filter = ("role", "status", "language")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("-created_at",)
    readonly_fields = ("last_login", "created_at", "updated_at")
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "username", "avatar_url", "language", "timezone")}),
        (_("Role"), {"fields": ("role", "status")}),
        (_("Consent"), {"fields": ("gdpr_consent", "data_processing_consent", "marketing_consent")}),
        (_("Times"), {"fields": ("last_login", "created_at", "updated_at")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "role", "password1", "password2")}),)
    filter_horizontal = ()

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        obj.is_active = obj.status in User.OPEN
        super().save_model(request, obj, form, change)
        sync_role(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """People are erased, everywhere and with a certificate, not deleted."""
        return False

    @admin.action(description=_("Erase after the time to change one's mind"), permissions=["change"])
    def erase(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for person in queryset:
            erasure.request_erasure(user=person)
        text = _("%(count)d will be erased; each can take it back on their privacy page until then.")
        self.message_user(request, text % {"count": len(queryset)}, messages.SUCCESS)


class APIKeyForm(forms.ModelForm):  # type: ignore[type-arg]
    scopes = forms.MultipleChoiceField(
        choices=APIKey.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=APIKey.Scope.values
    )

    class Meta:
        model = APIKey
        fields: ClassVar[list[str]] = ["name", "user", "scopes", "expires_at"]


@admin.register(APIKey)
class APIKeyAdmin(AuditedAdmin):
    form = APIKeyForm
    list_display = ("name", "prefix", "user", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__email")
    autocomplete_fields = ("user",)
    readonly_fields = ("prefix", "created_at", "last_used_at", "revoked_at")
    actions = ("revoke",)

    def save_model(self, request: HttpRequest, obj: APIKey, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        secret = api_keys.create(key=obj)
        text = format_html("{} <code>{}</code>", _("Copy this key now; it is not shown again:"), secret)
        self.message_user(request, text, messages.WARNING)

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[APIKey]) -> None:
        count = api_keys.revoke(keys=queryset)
        self.message_user(request, _("%(count)d revoked.") % {"count": count}, messages.SUCCESS)
