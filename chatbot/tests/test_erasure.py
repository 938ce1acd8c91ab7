"""A person with unique words everywhere is erased, and none of the words is found anywhere."""

import io
import logging
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from allauth.account.models import EmailAddress
from allauth.mfa.totp.internal.auth import TOTP
from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone
from psycopg import sql
from pytest_django import Settings
from rest_framework.test import APIClient

from accounts.models import APIKey, AuditEntry, Consent, Erasure, User
from accounts.privacy import certificate, consent, erasure, export
from chatbot import live
from conversations import services
from conversations.models import Feedback, Message
from faqs import publishing
from faqs.tests.curating import published, step

PASSWORD = "correct horse battery"
CANARY = "zqxcanary"
TYPES = ("text", "character varying", "character", "json", "jsonb", "bytea", "uuid", "inet", "tsvector")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, as it is written in production."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    formatter = logging.getLogger().handlers
    handler.setFormatter(
        next(one.formatter for one in formatter if one.formatter and "structlog" in repr(one.formatter))
    )
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def columns() -> list[tuple[str, str, str]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'public' AND data_type = ANY(%s)",
            [list(TYPES)],
        )
        return list(cursor.fetchall())


def in_tables(word: str) -> list[str]:
    found = []
    with connection.cursor() as cursor:
        for table, column, kind in columns():
            text = "encode({column}, 'escape')" if kind == "bytea" else "{column}::text"
            query = sql.SQL("SELECT count(*) FROM {table} WHERE " + text + " ILIKE %s")
            names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
            cursor.execute(query.format(**names), [f"%{word}%"])  # type: ignore[arg-type]
            found += [f"{table}.{column}"] * bool(cursor.fetchone()[0])
    return found + [f"session {one.pk}" for one in Session.objects.all() if word in str(one.get_decoded()).lower()]


def content_of(client: Any, key: bytes) -> str:
    match client.type(key):
        case b"string":
            return str(client.get(key))
        case b"list":
            return str(client.lrange(key, 0, -1))
        case b"set":
            return str(client.smembers(key))
        case b"hash":
            return str(client.hgetall(key))
        case b"zset":
            return str(client.zrange(key, 0, -1))
        case _:
            return ""


def in_redis(settings: Settings, word: str) -> list[str]:
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [str(key) for key in client.scan_iter() if word in (str(key) + content_of(client, key)).lower()]


def live_a_life(person: User, admin: User, settings: Settings) -> None:
    """Words of the person in every place that takes some."""
    browser, app = Client(headers={"User-Agent": f"{CANARY} browser"}), APIClient(headers={"User-Agent": CANARY})
    browser.post("/accounts/login/", {"login": person.email, "password": PASSWORD})
    browser.post("/accounts/login/", {"login": f"{CANARY}.wrong@example.com", "password": "wrong"})
    browser.get(f"/chat/search?q={CANARY}")
    Client().post("/accounts/password/reset/", {"email": person.email})
    tokens = app.post("/api/v1/auth/login", {"email": person.email, "password": PASSWORD}).json()
    app.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
    app.get("/api/v1/me")
    posted = services.post_message(user=person, content=f"I am {CANARY}", client_id=uuid4()).message
    services.edit(conversation=posted.conversation, title=f"{CANARY} title")
    reply = Message.objects.get(role="assistant")
    Message.objects.filter(pk=reply.pk).update(status="streaming", attempt=1, content=f"Hello {CANARY}")
    Feedback.objects.create(message=reply, user=person, value="up", reason=f"{CANARY} reason")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.set(live.snapshot_key(str(reply.pk), 1), f"Hello {CANARY}")
        client.set(f"limit:{person.pk}", 1)
    EmailAddress.objects.get_or_create(user=person, email=person.email, defaults={"verified": True, "primary": True})
    SocialAccount.objects.create(user=person, provider="oidc", uid=CANARY, extra_data={"name": CANARY})
    consent.decide(user=person, decisions={"marketing": True}, source=Consent.Source.PAGE, address="203.0.113.7")
    export.make(export.request_export(user=person).pk)
    TOTP.activate(person, "JBSWY3DPEHPK3PXP")
    APIKey.objects.create(user=person, name=CANARY, prefix="x", digest=CANARY)
    said = {"content": f"{CANARY} once more", "client_id": str(uuid4())}
    assert app.post("/api/v1/chat/send", said, headers={"Idempotency-Key": "once"}).status_code == 202
    staff = Client()
    staff.force_login(admin)
    form = {"email": person.email, "first_name": f"{CANARY}2", "role": "user", "status": "active", "language": "en"}
    staff.post(f"/admin/accounts/user/{person.pk}/change/", form | {"timezone": "UTC"})
    staff.get(f"/admin/conversations/conversation/{posted.conversation_id}/change/")
    overrule(person)


def overrule(person: User) -> None:
    """What an administrator leaves who publishes against the golden questions."""
    admin = User.objects.get(pk=person.pk)
    admin.is_superuser = True
    run = step(published(), "unpublish", by="admin")
    publishing.end(run, "blocked")
    publishing.go_live(publishing.override(run_id=run.pk, by=admin, reason="Season is over"))


def test_no_word_of_an_erased_person_is_left(db: None, settings: Settings, log: io.StringIO) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    admin = User.objects.create_superuser("root@example.com", PASSWORD)
    person = User.objects.create_user(
        f"{CANARY}@example.com",
        PASSWORD,
        first_name=CANARY,
        last_name=CANARY,
        username=CANARY,
        avatar_url=f"https://example.com/{CANARY}.png",
    )
    words = [CANARY, str(person.pk), person.pk.hex]
    live_a_life(person, admin, settings)
    assert len(in_tables(CANARY)) > 10
    assert len(in_redis(settings, CANARY)) >= 1
    assert len(in_redis(settings, str(person.pk))) >= 1

    wish = erasure.request_erasure(user=person)
    Erasure.objects.update(due_at=timezone.now())
    done = erasure.carry_out(wish.pk)

    assert done is not None
    assert done.certificate is not None
    certificate.verify(done.certificate, done.signature)
    assert AuditEntry.objects.count() >= 2
    for word in words:
        assert in_tables(word) == []
        assert in_redis(settings, word) == []
        assert word not in log.getvalue().lower()
    assert "request_finished" in log.getvalue()


def test_logs_hold_no_content_even_when_the_database_complains(db: None, log: io.StringIO) -> None:
    User.objects.create_user(f"{CANARY}@example.com", PASSWORD)
    try:
        with transaction.atomic():
            User.objects.create(email=f"{CANARY}@example.com", first_name=f"{CANARY}\nfirst")
    except IntegrityError:
        logging.getLogger("test").exception("refused %s", f"{CANARY}@example.com")
    logging.getLogger("test").info("GET /accounts/confirm-email/secret-key/ and /accounts/password/reset/key/3-abc/")
    assert "refused *@*" in log.getvalue()
    assert "confirm-email/*/" in log.getvalue()
    assert "reset/key/*/" in log.getvalue()
    assert CANARY not in log.getvalue()
