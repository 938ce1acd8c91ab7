"""What each role of staff may do, as Django groups and permissions."""

from typing import Any

from django.contrib.auth.models import Group, Permission

from .models import User

_VIEW_CONVERSATIONS = ["view_conversation", "view_message", "view_feedback"]
_CURATE = [
    f"{verb}_{model}" for verb in ("add", "change", "delete", "view") for model in ("faq", "phrasing", "category")
]
_GATE = ["view_linkcheck", "view_publishrun", "view_goldenquestion", "add_goldenquestion"]
_LIBRARY = ["add_import", "view_import", "view_gap", "change_gap", "add_ingest", "view_ingest"]
_REVIEW = ["publish_faq", "change_goldenquestion", "delete_goldenquestion"]

# Admins are superusers: they need no group.
PERMISSIONS: dict[str, list[str]] = {
    User.Role.EDITOR: [*_CURATE, *_GATE, *_LIBRARY],
    User.Role.REVIEWER: [*_CURATE, *_GATE, *_LIBRARY, *_REVIEW],
    User.Role.AGENT: [*_VIEW_CONVERSATIONS, "view_faq", "view_category", "view_phrasing"],
    User.Role.ANALYST: [*_VIEW_CONVERSATIONS, "view_faq", "view_category", "view_phrasing"],
}


def sync_groups(**kwargs: Any) -> None:
    """Make each role's group hold exactly its permissions; runs after every migration."""
    for role, codenames in PERMISSIONS.items():
        group, _created = Group.objects.get_or_create(name=role)
        group.permissions.set(Permission.objects.filter(codename__in=codenames))


def sync_role(user: User) -> None:
    """Give a saved user the groups and flags of their role, and take away those of others."""
    user.is_staff = user.role != User.Role.USER
    user.is_superuser = user.role == User.Role.ADMIN
    user.save(update_fields=["is_staff", "is_superuser"])
    user.groups.set(Group.objects.filter(name=user.role))
