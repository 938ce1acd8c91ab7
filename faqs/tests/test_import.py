"""Import and export: what a row would do, the truth about every row, and all of it or nothing."""

import io
import json
from typing import Any

import openpyxl
import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from accounts.roles import sync_role
from faqs import jobs, selectors
from faqs import services as knowledge
from faqs.exchange import files, services
from faqs.exchange import selectors as shown
from faqs.models import FAQ, Category, Phrasing
from faqs.signals import faqs_changed
from faqs.tests.curating import edit

from .importing import HEADER, checked, confirmed, counts, exported, imported, state


def broken_rows() -> tuple[str, dict[int, str]]:
    """5,000 rows of which 37 are wrong: the file, and which field is wrong by row."""
    wrong, lines = {}, []
    for number in range(2, 5002):
        question, answer, category, priority = f"Question {number}?", f"Answer {number}", "delivery", "50"
        if number % 135 == 0:
            field = ("question", "answer", "category", "priority")[number // 135 % 4]
            wrong[number] = field
            question = "" if field == "question" else question
            answer = "" if field == "answer" else answer
            category = "nowhere" if field == "category" else category
            priority = "101" if field == "priority" else priority
        lines.append(f"{question},{answer},{category},published,How about {number},{priority}\n")
    return HEADER + "".join(lines), wrong


def test_five_thousand_rows_with_37_errors(
    admin: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    content, wrong = broken_rows()
    heard: list[int] = []

    def listen(sender: object, *, faq_ids: list[int], **kwargs: object) -> None:
        heard.append(len(faq_ids))

    job = checked(admin, content)
    assert counts(job) == (4963, 0, 0, 0, 0, 37)
    assert {error["number"]: error["field"] for error in shown.errors(job)} == wrong
    assert all(error["reason"] for error in shown.errors(job))
    assert not FAQ.objects.exists()
    faqs_changed.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            job = confirmed(admin, job)
    finally:
        faqs_changed.disconnect(listen)
    assert (job.status, counts(job), heard) == ("done", (4963, 0, 0, 0, 0, 37), [4963])
    assert FAQ.objects.published().count() == Phrasing.objects.count() == 4963
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM faqs_faq WHERE search_vector @@ plainto_tsquery('english', '4711')")
        assert cursor.fetchone()[0] == 1
    model = knowledge.register_model(provider="local", name="tiny", width=4, languages=[])
    assert len(selectors.stale_faqs(model, 10_000)) == 4963
    assert jobs.progress(job) == 4963


def test_a_second_import_changes_nothing(admin: User) -> None:
    content = HEADER + 'Where?,"Here, or there",Delivery,published,"At which place\nWhereabouts",10\n'
    assert counts(imported(admin, content)) == (1, 0, 0, 0, 0, 0)
    before = state()
    job = imported(admin, content)
    assert (counts(job), state()) == ((0, 0, 1, 0, 0, 0), before)


@pytest.mark.parametrize("format", ["csv", "xlsx", "json"])
def test_an_export_read_in_again_changes_nothing(admin: User, format: str) -> None:
    category = Category.objects.get()
    rows = [
        FAQ(category=category, question="=cmd|' /C calc'!A0", answer="-1\r\n+2", slug="a", keywords=["x", "@y"]),
        FAQ(category=category, question="'=Quoted", answer="''=", slug="b", language="de", meta_title="+1"),
        FAQ(category=category, question="配送 😀?", answer=' "a", \n\n;\tb ', slug="faq", priority=0),
        FAQ(category=category, question="Bell\x07?", answer="ok", slug="bell"),
    ]
    FAQ.objects.bulk_create(rows)
    Phrasing.objects.create(faq=rows[0], text="@one, two")
    Phrasing.objects.create(faq=rows[0], text="and\nthree")
    before = state()
    job = imported(admin, exported(format), f"faqs.{format}")
    assert (job.status, counts(job), state()) == ("done", (0, 0, 4, 0, 0, 0), before)


def test_what_is_too_long_for_a_row_is_exported_all_the_same(admin: User) -> None:
    FAQ.objects.create(category=Category.objects.get(), question="A?", answer="One", keywords=["x" * 301])
    file = exported()
    assert [error["field"] for error in shown.errors(checked(admin, file))] == ["keywords"]
    job = imported(admin, file.replace(b"x" * 301, b"van"))
    assert (counts(job), FAQ.objects.get().keywords) == ((0, 1, 0, 0, 0, 0), ["van"])


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_no_exported_cell_is_a_formula(admin: User, format: str) -> None:
    FAQ.objects.create(
        category=Category.objects.get(), question="=1+1", answer="@SUM(A1)", slug="a", meta_title="\uff1d1"
    )
    content = exported(format)
    if format == "csv":
        assert all(cell in content.decode("utf-8-sig") for cell in ("'=1+1", "'@SUM(A1)", "'\uff1d1"))
    else:
        cells = [cell for row in openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows() for cell in row]
        assert "f" not in {cell.data_type for cell in cells}
        assert all(not str(cell.value or "").startswith(("=", "@")) for cell in cells)


@given(st.text(alphabet="'=+-@\t\r\n a\uff1d"))
def test_escaping_can_be_undone(cell: str) -> None:
    assert files.unescape(files.escape(cell)) == cell
    assert not files.escape(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_an_edited_faq_is_overwritten_only_by_choice(admin: User) -> None:
    imported(admin, HEADER + "A?,One,delivery,draft,,50\nB?,One,delivery,draft,,50\n")
    FAQ.objects.filter(question="A?").update(answer="Edited")
    changed = HEADER + "A?,Two,delivery,draft,,50\nB?,Two,delivery,draft,,50\n"
    job = imported(admin, changed)
    assert counts(job) == (0, 1, 0, 0, 1, 0)
    assert dict(FAQ.objects.values_list("question", "answer")) == {"A?": "Edited", "B?": "Two"}
    (conflict,) = shown.conflicts(job)
    assert (conflict.number, conflict.differences) == (2, [("answer", "Edited", "Two")])
    job = confirmed(admin, job, 2)
    assert counts(job) == (0, 2, 0, 0, 0, 0)
    assert FAQ.objects.get(question="A?").answer == "Two"


def test_a_choice_does_not_hold_for_what_was_edited_after_it(admin: User) -> None:
    imported(admin, HEADER + "A?,One,delivery,draft,,50\nB?,One,delivery,draft,,50\n")
    FAQ.objects.filter(question="A?").update(answer="Edited")
    job = checked(admin, HEADER + "A?,Two,delivery,draft,,50\nB?,Two,delivery,draft,,50\n")
    FAQ.objects.update(answer="Edited meanwhile")
    job = confirmed(admin, job, 2)
    assert counts(job) == (0, 0, 0, 2, 0, 0)
    assert set(FAQ.objects.values_list("answer", flat=True)) == {"Edited meanwhile"}


def test_an_exported_file_knows_what_it_was_made_from(admin: User) -> None:
    faq = FAQ.objects.create(category=Category.objects.get(), question="A?", answer="One")
    mine = exported().decode("utf-8-sig").replace("One", "Mine")
    assert counts(imported(admin, mine)) == (0, 1, 0, 0, 0, 0)
    theirs = exported().decode("utf-8-sig").replace("Mine", "Theirs")
    FAQ.objects.filter(pk=faq.pk).update(answer="Edited")
    assert counts(imported(admin, theirs)) == (0, 0, 0, 0, 1, 0)


def test_columns_that_are_missing_stay_as_they_are(admin: User) -> None:
    imported(admin, HEADER + "A?,One,delivery,published,Ah?,7\n")
    job = imported(admin, "question,answer,colour\nA?,Two,red\n")
    faq = FAQ.objects.get()
    assert (faq.answer, faq.status, faq.priority, [p.text for p in faq.phrasings.all()]) == (
        "Two",
        "published",
        7,
        ["Ah?"],
    )
    assert "colour" in job.notice
    imported(admin, 'question,phrasings,status\nA?,"Oh?\nAh?",archived\n')
    faq.refresh_from_db()
    assert ([p.text for p in faq.phrasings.all()], faq.status) == (["Ah?", "Oh?"], "archived")


def test_a_faq_with_a_next_version_is_left_alone(admin: User) -> None:
    imported(admin, HEADER + "A?,One,delivery,published,,50\nB?,One,delivery,published,,50\n")
    job = checked(admin, HEADER + "A?,One,delivery,draft,,50\nB?,Two,delivery,published,,50\n")
    assert counts(job) == (0, 2, 0, 0, 0, 0)
    for faq in FAQ.objects.all():
        edit(faq, by="reviewer", answer="Next")
    before = state()
    again = HEADER + "A?,One,delivery,published,,50\nB?,Three,delivery,published,,50\n"
    assert counts(checked(admin, again)) == (0, 0, 1, 0, 0, 1)
    job = confirmed(admin, job)
    assert (counts(job), state()) == ((0, 0, 0, 0, 0, 2), before)
    assert all("next version" in error["reason"] for error in shown.errors(job))


def test_every_wrong_row_is_told(admin: User) -> None:
    long = "x" * 301
    rows = [
        {"question": "Twice?", "answer": "a", "category": "delivery"},
        {"question": "Twice?", "answer": "b", "category": "delivery"},
        {"question": "No category?", "answer": "a"},
        {"question": long, "answer": "a", "category": "delivery"},
        {"question": "L?", "answer": "a", "category": "delivery", "language": "xx"},
        {"question": "P?", "answer": "a", "category": "delivery", "phrasings": [1]},
        {"question": "K?", "answer": "a", "category": "delivery", "phrasings": [long]},
        {"question": "S?", "answer": "a", "category": "delivery", "slug": "no spaces"},
        "text",
    ]
    job = checked(admin, json.dumps({"faqs": rows}), "faqs.json")
    fields = {error["number"]: error["field"] for error in shown.errors(job)}
    assert fields == {
        2: "slug",
        3: "category",
        4: "question",
        5: "language",
        6: "phrasings",
        7: "phrasings",
        8: "slug",
        9: "",
    }


def test_categories_are_created_when_asked(admin: User) -> None:
    job = imported(admin, HEADER + "A?,One,Gift cards,draft,,50\n", create_categories=True)
    assert (counts(job)[0], FAQ.objects.get().category.name) == (1, "Gift cards")


def test_who_may_not_publish_submits(admin: User) -> None:
    editor = User.objects.create_user("ed@example.com", "correct horse battery", role="editor")
    sync_role(editor)
    imported(admin, HEADER + "Live?,One,delivery,published,,50\n")
    job = imported(editor, HEADER + "Live?,Two,delivery,published,,50\nNew?,One,delivery,published,,50\n")
    assert [error["field"] for error in shown.errors(job)] == ["status"]
    assert dict(FAQ.objects.values_list("question", "status")) == {"Live?": "published", "New?": "review"}
    imported(editor, HEADER + "New?,Two,delivery,published,,50\n")
    assert FAQ.objects.get(question="New?").status == "review"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"", "question"),
        ("a.csv", b"question,answer\n", "no rows"),
        ("a.csv", b"answer\nx\n", "question"),
        ("a.csv", b"question,answer,answer\nA,b,c\n", "twice"),
        ("a.csv", "question;answer\nGrüße?;b\n".encode("latin-1"), "UTF-8"),
        ("a.csv", b'question,answer\n"open,b\n', "line 2"),
        ("a.xlsx", b"PK nonsense", "XLSX"),
        ("a.json", b"{", "JSON"),
        ("a.json", b'{"x": 1}', "list of FAQs"),
    ],
)
def test_files_that_cannot_be_read_say_why(admin: User, name: str, content: bytes, reason: str) -> None:
    job = checked(admin, content, name)
    assert (job.status, reason.lower() in job.problem.lower()) == ("failed", True), job.problem


def test_other_encodings_and_separators(admin: User) -> None:
    assert counts(checked(admin, "question;answer;category\nWo?;Da;delivery\n".encode("utf-16")))[0] == 1
    assert checked(admin, "question\tanswer\tcategory\nWo?\tDa\tdelivery\textra\n").rows.get().errors[0]["field"] == ""


def test_limits(admin: User, settings: Any) -> None:
    settings.IMPORT_MAX_ROWS, settings.IMPORT_MAX_BYTES = 2, 2 * 1024 * 1024
    job = checked(admin, HEADER + "A?,One,delivery,,,\n" * 3)
    assert (job.status, "more than 2 rows" in job.problem) == ("failed", True)
    assert "larger than 2 MB" in services.acceptable("a.csv", 2 * 1024 * 1024 + 1)
    assert ".xlsx" in services.acceptable("a.exe", 1)
    assert services.acceptable("a.CSV", 1) == ""


def test_a_bomb_of_a_workbook_is_not_unpacked(admin: User, monkeypatch: pytest.MonkeyPatch) -> None:
    FAQ.objects.create(category=Category.objects.get(), question="A?", answer="x" * 5000)
    content = exported("xlsx")
    monkeypatch.setattr(files, "XLSX_UNPACKED", 1000)
    assert "unpacks" in checked(admin, content, "a.xlsx").problem


def test_too_long_for_a_workbook(admin: User) -> None:
    FAQ.objects.create(category=Category.objects.get(), question="A?", answer="x" * 40_000)
    with pytest.raises(files.Unwritable, match="CSV"):
        exported("xlsx")
