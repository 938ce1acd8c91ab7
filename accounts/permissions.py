"""Who may do what in the API."""

from typing import ClassVar

from rest_framework.permissions import BasePermission, DjangoModelPermissionsOrAnonReadOnly
from rest_framework.request import Request
from rest_framework.views import APIView

from .models import APIKey, User


class RolePermission(BasePermission):
    """For the people of some roles; others are told that they may not."""

    allowed: ClassVar[frozenset[str]] = frozenset()

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and request.user.role in self.allowed


def roles(*names: str) -> type[RolePermission]:
    return type("RolePermission", (RolePermission,), {"allowed": frozenset(names)})


class CuratorsWrite(DjangoModelPermissionsOrAnonReadOnly):
    """Everybody reads; writing needs the model's permission, which comes with a role (accounts/roles.py)."""


class HasAccount(BasePermission):
    """Not for guests: they have nothing to sign in to."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, User) and not request.user.is_guest


class ScopePermission(BasePermission):
    """For API keys that were given a scope."""

    wanted: ClassVar[str] = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, APIKey) and self.wanted in request.auth.scopes


def scope(name: str) -> type[ScopePermission]:
    return type("ScopePermission", (ScopePermission,), {"wanted": name})
