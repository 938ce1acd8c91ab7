"""People: visitors with and without an account, and the staff who serve them."""

from typing import Any, ClassVar, Self

from django.contrib.auth.models import AbstractUser, UserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import URLValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from uuid_utils.compat import uuid7

from . import vault
from .privacy.models import AuditEntry, Consent, Erasure, Export

__all__ = ["Accounts", "AuditEntry", "Consent", "Erasure", "Export", "User"]


class Accounts(UserManager["User"]):
    """Creates users by e-mail address, their login."""

    def _account(self, email: str, password: str | None, **fields: Any) -> "User":
        if not email:
            raise ValueError("An account needs an e-mail address.")
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_user(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self._account(email, password, **fields)

    def create_superuser(  # type: ignore[override]
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        fields = {"role": User.Role.ADMIN, "is_staff": True, "is_superuser": True} | fields
        return self._account(email, password, **fields)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person. `email` is the login; a guest has none until they sign up."""

    class Role(models.TextChoices):
        USER = "user", _("User")
        EDITOR = "editor", _("Editor")
        REVIEWER = "reviewer", _("Reviewer")
        AGENT = "agent", _("Agent")
        ANALYST = "analyst", _("Analyst")
        ADMIN = "admin", _("Admin")

    class Status(models.TextChoices):
        GUEST = "guest", _("Guest")
        ACTIVE = "active", _("Active")
        SUSPENDED = "suspended", _("Suspended")
        CLOSED = "closed", _("Closed")

    # Who may sign in and is served. `is_active`, which Django and its packages ask, says the same.
    OPEN = (Status.GUEST, Status.ACTIVE)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField(_("e-mail address"), null=True, blank=True, unique=True)  # type: ignore[assignment]
    username = models.CharField(_("user name"), max_length=150, blank=True)
    role = models.CharField(max_length=16, choices=Role, default=Role.USER)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    avatar_url = models.CharField(max_length=500, blank=True, validators=[URLValidator(schemes=["https"])])
    language = models.CharField(max_length=8, default="en")
    timezone = models.CharField(max_length=64, default="UTC")
    gdpr_consent = models.BooleanField(default=False)
    data_processing_consent = models.BooleanField(default=False)
    marketing_consent = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[Accounts] = Accounts()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(
                name="user_guest_has_no_email",
                condition=Q(status="guest", email__isnull=True) | (~Q(status="guest") & Q(email__isnull=False)),
            ),
            models.CheckConstraint(name="user_email_lowercase", condition=Q(email=Lower("email"))),
            models.CheckConstraint(name="user_guest_is_plain_user", condition=~Q(status="guest") | Q(role="user")),
            models.CheckConstraint(
                name="user_is_active_by_status",
                condition=Q(status__in=["guest", "active"], is_active=True)
                | (~Q(status__in=["guest", "active"]) & Q(is_active=False)),
            ),
        ]

    def __str__(self) -> str:
        return self.email or f"guest {str(self.pk)[-8:]}"

    @property
    def is_guest(self) -> bool:
        return self.status == self.Status.GUEST

    @property
    def log_id(self) -> str:
        """How logs name this person."""
        return vault.pseudonym(self.pk)

    @classmethod
    def new_guest(cls, *, language: str) -> Self:
        """An unsaved guest: no e-mail address and no usable password."""
        guest = cls(status=cls.Status.GUEST, language=language)
        guest.set_unusable_password()
        return guest


class SignInQuerySet(models.QuerySet["SignIn"]):
    def open(self) -> Self:
        """Those whose tokens count."""
        return self.filter(revoked_at__isnull=True, expires_at__gt=timezone.now(), user__is_active=True)


class SignIn(models.Model):
    """One sign-in of an app: the family of tokens that its refreshes make. `current` is the only refresh that still counts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sign_ins")
    current = models.CharField(max_length=32)
    user_agent = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager["SignIn"]] = SignInQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            models.Index("user", F("last_used_at").desc(), name="sign_in_open", condition=Q(revoked_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return self.user_agent or str(self.pk)


def all_scopes() -> list[str]:
    return list(APIKey.Scope.values)


class APIKey(models.Model):
    """Lets a program act for a person. Only a digest is kept; `prefix` tells keys apart."""

    class Scope(models.TextChoices):
        CHAT = "chat", _("Ask the assistant")
        MODELS = "models", _("List the models")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope), default=all_scopes)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "API key"
        ordering: ClassVar[list[str]] = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_open(self) -> bool:
        return (
            self.revoked_at is None
            and (self.expires_at is None or self.expires_at > timezone.now())
            and self.user.is_active
        )
