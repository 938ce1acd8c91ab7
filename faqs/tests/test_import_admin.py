"""The pages of imports and exports, and who may see them."""

import io

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from accounts.models import User
from accounts.roles import sync_role
from faqs import tasks
from faqs.exchange.models import Import
from faqs.models import FAQ, Category

from .importing import HEADER, checked, imported


@pytest.mark.parametrize("rows", [1, 7])
def test_pages_take_a_fixed_number_of_queries(
    admin: User, rows: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = Client()
    client.force_login(admin)
    content = HEADER + "".join(f"Q{n}?,One,delivery,draft,P{n},50\nBad{n}?,,delivery,,,\n" for n in range(rows))
    imported(admin, content)
    FAQ.objects.update(answer="Edited")
    job = checked(admin, content.replace("One", "Two"))
    with django_assert_num_queries(7):
        client.get(f"/admin/faqs/import/{job.pk}/change/")
    with django_assert_num_queries(5):
        client.get("/admin/faqs/import/")
    with django_assert_num_queries(4):
        client.get("/admin/faqs/faq/export/csv/")


def staff(role: str) -> Client:
    user = User.objects.create_user(f"{role}@example.com", "correct horse battery", role=role)
    sync_role(user)
    client = Client()
    client.force_login(user)
    return client


def test_editors_walk_through_an_import(db: None) -> None:
    client = staff("editor")
    Category.objects.create(name="Delivery", slug="delivery")
    assert "CSV, XLSX or JSON" in client.get("/admin/faqs/import/add/").content.decode()
    bad = io.BytesIO(b"x")
    bad.name = "faqs.exe"
    assert "Upload a .csv" in client.post("/admin/faqs/import/add/", {"file": bad}).content.decode()
    good = io.BytesIO((HEADER + "A?,One,delivery,draft,,50\nB?,,delivery,draft,,50\n").encode())
    good.name = "faqs.csv"
    page = client.post("/admin/faqs/import/add/", {"file": good})
    address = page.headers["Location"]
    job = Import.objects.get()
    assert "being checked" in client.get(address).content.decode()
    tasks.run_import(job.pk)
    assert "1 of 2 would be imported" in client.get(address).content.decode()
    client.post(address)
    assert "The import runs" in client.get(address).content.decode()
    assert "not ready" in client.post(address, follow=True).content.decode()
    tasks.run_import(job.pk)
    text = client.get(address).content.decode()
    assert "1 of 2 imported" in text
    assert "This field is required" in text
    FAQ.objects.update(answer="Edited")
    again = io.BytesIO((HEADER + "A?,Two,delivery,draft,,50\n").encode())
    again.name = "faqs.csv"
    address = client.post("/admin/faqs/import/add/", {"file": again}).headers["Location"]
    tasks.run_import(Import.objects.latest("pk").pk)
    assert "Use the file" in client.get(address).content.decode()
    client.post(address, {"overwrite": ["2", "x"]})
    tasks.run_import(Import.objects.latest("pk").pk)
    assert FAQ.objects.get().answer == "Two"
    assert client.get("/admin/faqs/import/99/change/").status_code == 404


@pytest.mark.parametrize(("role", "page", "download"), [("user", 302, 302), ("analyst", 403, 200), ("agent", 403, 200)])
def test_other_roles_do_not_import(admin: User, role: str, page: int, download: int) -> None:
    job = checked(admin, HEADER + "A?,One,delivery,draft,,50\n")
    client = staff(role)
    assert client.get("/admin/faqs/import/add/").status_code == page
    assert client.get(f"/admin/faqs/import/{job.pk}/change/").status_code == page
    assert client.post(f"/admin/faqs/import/{job.pk}/change/").status_code == page
    assert client.get("/admin/faqs/faq/export/csv/").status_code == download


def test_who_may_only_look_does_not_start_an_import(admin: User) -> None:
    from django.contrib.auth.models import Permission

    job = checked(admin, HEADER + "A?,One,delivery,draft,,50\n")
    client = staff("analyst")
    user = User.objects.get(email="analyst@example.com")
    user.user_permissions.add(Permission.objects.get(codename="view_import"))
    assert "would be imported" in client.get(f"/admin/faqs/import/{job.pk}/change/").content.decode()
    assert client.post(f"/admin/faqs/import/{job.pk}/change/").status_code == 403
    assert client.get("/admin/faqs/faq/export/csv/").status_code == 200


def test_exports_are_downloads(admin: User) -> None:
    FAQ.objects.create(category=Category.objects.get(), question="A?", answer="x" * 40_000)
    client = Client()
    client.force_login(admin)
    assert client.get("/admin/faqs/faq/export/csv/").headers["Content-Disposition"].endswith('.csv"')
    assert client.get("/admin/faqs/faq/export/exe/").status_code == 404
    assert "too long" in client.get("/admin/faqs/faq/export/xlsx/", follow=True).content.decode()
    for format in ("csv", "json"):
        chosen = {"action": f"export_{format}", "_selected_action": list(FAQ.objects.values_list("pk", flat=True))}
        assert "attachment" in client.post("/admin/faqs/faq/", chosen).headers["Content-Disposition"]
    chosen = {"action": "export_xlsx", "_selected_action": list(FAQ.objects.values_list("pk", flat=True))}
    assert client.post("/admin/faqs/faq/", chosen).status_code == 302
