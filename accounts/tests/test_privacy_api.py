"""Consent, copies and being forgotten over the API."""

import io
import json
import zipfile
from uuid import UUID

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import Consent, Erasure, Export, User
from accounts.privacy import export

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada@example.com", PASSWORD)


@pytest.fixture
def hers(ada: User) -> APIClient:
    return of(ada)


def of(person: User) -> APIClient:
    client = APIClient()
    client.force_authenticate(person)
    return client


@pytest.mark.parametrize("path", ["consents", "export", f"export/{UUID(int=7)}", "erasure"])
def test_nobody_gets_in_without_a_name(db: None, path: str) -> None:
    assert APIClient().get(f"/api/v1/me/{path}").status_code == 401


def test_a_decision_is_kept_with_its_origin(ada: User, hers: APIClient) -> None:
    before = hers.get("/api/v1/me/consents").json()
    assert [(one["purpose"], one["granted"], one["decided_at"]) for one in before] == [
        ("privacy", False, None),
        ("processing", False, None),
        ("marketing", False, None),
    ]
    after = hers.post("/api/v1/me/consents", {"purpose": "marketing", "granted": True}).json()
    assert next(one for one in after if one["purpose"] == "marketing")["granted"]
    kept = Consent.objects.get()
    assert (kept.source, kept.address) == ("api", "127.0.0.1")


@pytest.mark.parametrize(
    ("data", "field"),
    [({"purpose": "spying", "granted": True}, "purpose"), ({"purpose": "privacy", "granted": "yes"}, "granted")],
)
def test_a_decision_about_nothing_is_refused(hers: APIClient, data: dict[str, object], field: str) -> None:
    response = hers.post("/api/v1/me/consents", data)
    assert (response.status_code, list(response.json()["fields"])) == (400, [field])


def test_a_purpose_that_is_half_a_surrogate_pair_is_refused(hers: APIClient) -> None:
    text = json.dumps({"purpose": "\ud800", "granted": True})
    response = hers.generic("POST", "/api/v1/me/consents", text, content_type="application/json")
    assert (response.status_code, list(response.json()["fields"])) == (422, ["purpose"])


def test_a_copy_is_asked_for_watched_and_fetched(ada: User, hers: APIClient) -> None:
    assert hers.get("/api/v1/me/export").status_code == 404
    asked = hers.post("/api/v1/me/export")
    assert (asked.status_code, asked.json()["status"]) == (202, "queued")
    path = f"/api/v1/me/export/{asked.json()['id']}"
    assert hers.get(path).status_code == 404
    export.make(Export.objects.get().pk)
    assert hers.get("/api/v1/me/export").json()["progress"] == 100
    response = hers.get(path, headers={"Accept": "application/zip"})
    assert "index.html" in zipfile.ZipFile(io.BytesIO(response.content)).namelist()
    stranger = User.objects.create_user("eve@example.com", PASSWORD)
    assert of(stranger).get(path).status_code == 404


def test_being_forgotten_is_asked_for_and_taken_back(ada: User, hers: APIClient) -> None:
    assert hers.get("/api/v1/me/erasure").status_code == 404
    response = hers.delete("/api/v1/me")
    assert response.status_code == 202
    assert hers.get("/api/v1/me/erasure").json()["due_at"] == response.json()["due_at"] > timezone.now().isoformat()
    assert hers.delete("/api/v1/me/erasure").status_code == 204
    assert hers.delete("/api/v1/me/erasure").status_code == 404
    assert Erasure.objects.get().cancelled_at is not None
