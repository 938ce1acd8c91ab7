"""Conversations for staff: to read, never to rewrite."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from accounts.privacy.admin import AuditedAdmin

from . import selectors
from .models import Conversation


@admin.register(Conversation)
class ConversationAdmin(AuditedAdmin):
    list_display = ("__str__", "user", "language", "owner", "message_count", "last_message_at")
    list_filter = ("owner", "language", "is_archived")
    list_select_related = ("user",)
    search_fields = ("title", "user__email")
    ordering = ("-last_message_at",)
    show_full_result_count = False
    fields = (
        "user",
        "title",
        "language",
        "owner",
        "tags",
        "message_count",
        "total_tokens",
        "last_message_at",
        "transcript",
    )
    readonly_fields = fields

    @admin.display(description=_("Transcript (last 200 messages)"))
    def transcript(self, conversation: Conversation) -> SafeString:
        rows = selectors.transcript(conversation, limit=200)
        parts = (
            (m.created_at.strftime("%Y-%m-%d %H:%M"), m.get_role_display(), m.get_status_display(), m.content)
            for m in rows
        )
        line = (
            '<li class="mb-4"><p class="text-sm opacity-70">{} · {} · {}</p><p class="whitespace-pre-wrap">{}</p></li>'
        )
        return format_html("<ol>{}</ol>", format_html_join("", line, parts))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
