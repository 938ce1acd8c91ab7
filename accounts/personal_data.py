"""What is held about a person's account, sign-ins and decisions; also for the packages that accounts are built on."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from .models import APIKey, SignIn, User
from .privacy import export, redis_keys
from .privacy.holdings import Holding, Retention, Store
from .privacy.models import Consent, Erasure, Export
from .services import GUEST_KEY


def _log_entries(person: User) -> QuerySet[LogEntry]:
    """What the person did in the admin, and what was done to their account there: it names them."""
    about = Q(content_type=ContentType.objects.get_for_model(User), object_id=str(person.pk))
    return LogEntry.objects.filter(Q(user=person) | about)


def _session_keys(person: User) -> Iterator[str]:
    """Sessions say whose they are only inside, so that all of them are opened."""
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        data = session.get_decoded()
        if str(person.pk) in (data.get("_auth_user_id"), data.get(GUEST_KEY)):
            yield session.session_key


def _sessions(person: User) -> QuerySet[Session]:
    return Session.objects.filter(pk__in=list(_session_keys(person)))


def _keys_naming(person: User) -> list[str]:
    """Such as the counters of limits."""
    return redis_keys.naming(str(person.pk), person.pk.hex)


def _expire_exports(before: datetime) -> int:
    return export.expire()


def _expire_sessions(before: datetime) -> int:
    UserSession.objects.exclude(session_key__in=Session.objects.values("session_key")).delete()
    # Not through the ORM, which would load each of them for those who listen for sessions that end before their time.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_session WHERE expire_date < %s", [timezone.now()])
        return int(cursor.rowcount)


def _of(model: Any) -> Any:
    return lambda person: model.objects.filter(user=person)


HOLDINGS = [
    Holding(Consent, "Consent", _of(Consent), ("purpose", "version", "granted", "source", "address", "created_at")),
    Holding(Export, "Copies of this data", _of(Export), ("status", "created_at", "expires_at")),
    Holding(
        Erasure,
        "Wishes to be forgotten",
        _of(Erasure),
        ("requested_at", "due_at", "cancelled_at"),
        # The one that is carried out becomes the certificate.
        erase=lambda person: person.erasures.exclude(cancelled_at__isnull=True).delete()[0],
    ),
    Holding(EmailAddress, "E-mail addresses", _of(EmailAddress), ("email", "verified", "primary")),
    Holding(SocialAccount, "Sign-ins of other services", _of(SocialAccount), ("provider", "uid", "extra_data")),
    Holding(Authenticator, "Second factors", _of(Authenticator), ("type", "created_at", "last_used_at")),
    Holding(UserSession, "Signed-in browsers", _of(UserSession), ("ip", "user_agent", "created_at", "last_seen_at")),
    Holding(APIKey, "API keys", _of(APIKey), ("name", "prefix", "scopes", "created_at", "last_used_at", "expires_at")),
    Holding(SignIn, "Signed-in apps", _of(SignIn), ("user_agent", "address", "created_at", "last_used_at")),
    Holding(Session, "Sessions", _sessions, ("expire_date",), erase=lambda person: _sessions(person).delete()[0]),
    Holding(LogEntry, "Changes in the admin", _log_entries, ("action_time", "object_repr", "change_message")),
    Holding(
        User,
        "Account",
        lambda person: User.objects.filter(pk=person.pk),
        (
            "id",
            "email",
            "first_name",
            "last_name",
            "username",
            "role",
            "status",
            "avatar_url",
            "language",
            "timezone",
            "gdpr_consent",
            "data_processing_consent",
            "marketing_consent",
            "last_login",
            "date_joined",
            "created_at",
            "updated_at",
        ),
    ),
]
STORES = [Store("redis keys", _keys_naming, redis_keys.delete)]
RETENTIONS = [
    Retention("exports", lambda: settings.EXPORT_DAYS, _expire_exports),
    Retention("sessions", lambda: 0, _expire_sessions),
]
