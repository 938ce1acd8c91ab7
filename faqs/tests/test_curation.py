"""From draft to published to archived, by role; what visitors read stays until the gate lets a change through."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone

from faqs import curation, history, publishing, selectors, services, workflow
from faqs.comparison import compare
from faqs.help import selectors as help_selectors
from faqs.models import FAQ, Draft, PublishRun
from faqs.tests.curating import again, content, draft, edit, person, published, step, trail
from faqs.workflow import NotAllowed

pytestmark = pytest.mark.django_db


def names(faq: FAQ, role: str) -> set[str]:
    faq = again(faq)
    return {one.name for one in workflow.allowed(faq, person(role), workflow.open_runs(faq))}


def test_steps_by_stage_and_role() -> None:
    faq = draft()
    assert names(faq, "editor") == {"submit", "check", "archive"} == names(faq, "reviewer")
    assert names(faq, "agent") == set()
    step(faq, "submit", comment="please look")
    assert names(faq, "editor") == {"return", "check", "archive"}
    assert names(faq, "reviewer") == {"publish", "return", "check", "archive"}
    step(faq, "return", by="reviewer", comment="too long")
    step(faq, "archive")
    assert names(faq, "editor") == {"reopen"}
    step(faq, "reopen")
    assert trail(faq) == [
        ("", "draft"),
        ("draft", "review"),
        ("review", "draft"),
        ("draft", "archived"),
        ("archived", "draft"),
    ]
    event = faq.status_events.get(from_status="review")
    assert (event.by, event.comment) == (person("reviewer"), "too long")


@pytest.mark.parametrize("name", ["publish", "unpublish", "reopen", "nonsense"])
def test_a_step_that_does_not_fit_is_refused_and_leaves_no_trace(name: str) -> None:
    faq = draft()
    with pytest.raises(NotAllowed):
        step(faq, name, by="admin")
    assert trail(faq) == [("", "draft")]
    assert not PublishRun.objects.exists()


def test_editors_do_not_publish() -> None:
    faq = draft()
    step(faq, "submit")
    with pytest.raises(NotAllowed):
        step(faq, "publish")


def test_what_is_written_of_a_published_faq_is_its_next_version() -> None:
    faq = published()
    model = services.register_model(provider="local", name="tiny", width=3, languages=[])
    edit(faq, answer="In one day.", phrasings=("How soon?",))
    row = again(faq)
    assert (row.status, row.stage, row.answer) == ("published", "draft", "In **two** days.")
    assert row.working.answer == "In one day."
    assert [phrasing.text for phrasing in row.phrasings.all()] == ["How long?"]
    assert {text for _kind, text in services.texts_of(row)} == {row.question, row.answer, "How long?"}
    assert [one.answer for one in help_selectors.versions(row.slug)] == ["In **two** days."]
    assert selectors.stale_faqs(model, 5) == [row]
    assert trail(row) == [("published", "draft")]
    edit(faq, answer="In an hour.")
    assert Draft.objects.count() == 1
    step(faq, "discard", comment="never mind")
    assert trail(row) == [("published", "draft"), ("draft", "published")]
    assert again(faq).working.answer == "In **two** days."


def test_saving_the_same_again_changes_nothing() -> None:
    faq = published()
    edit(faq)
    assert not Draft.objects.exists()
    assert trail(faq) == []


def test_a_newer_save_of_somebody_else_is_not_overwritten() -> None:
    faq = published()
    base = faq.working.digest
    edit(faq, by="reviewer", answer="Theirs")
    with pytest.raises(curation.Conflict) as conflict:
        curation.save(faq_id=faq.pk, content=content(answer="Mine"), base=base, by=person("editor"))
    assert conflict.value.faq.working.answer == "Theirs"
    assert again(faq).working.answer == "Theirs"


def test_in_review_only_reviewers_write() -> None:
    faq = draft()
    step(faq, "submit")
    with pytest.raises(NotAllowed, match="in review"):
        edit(faq, answer="Sneaked in")
    edit(faq, by="reviewer", answer="Corrected")
    assert (again(faq).answer, again(faq).stage) == ("Corrected", "review")


@pytest.mark.parametrize(("role", "reason"), [("agent", "role"), ("editor", "archived")])
def test_an_archived_faq_is_read_only(role: str, reason: str) -> None:
    faq = draft()
    step(faq, "archive")
    with pytest.raises(NotAllowed, match=reason):
        edit(faq, by=role, answer="Changed")


def test_a_publication_under_way_holds_the_text_and_the_steps() -> None:
    faq = draft()
    step(faq, "submit")
    run = step(faq, "publish", by="reviewer", due_at=timezone.now() + timedelta(days=1))
    assert names(faq, "admin") == set()
    with pytest.raises(NotAllowed, match="being published"):
        edit(faq, by="admin", answer="Changed")
    publishing.cancel(run_id=run.pk, by=person("reviewer"))
    assert "publish" in names(faq, "admin")
    with pytest.raises(NotAllowed, match="too late"):
        publishing.cancel(run_id=run.pk, by=person("reviewer"))
    with pytest.raises(NotAllowed, match="reviewers"):
        publishing.cancel(run_id=run.pk, by=person("editor"))


def test_planned_runs_are_due_in_their_time() -> None:
    faq = published()
    run = step(faq, "unpublish", by="reviewer", due_at=timezone.now() + timedelta(hours=1))
    assert publishing.due() == []
    assert not publishing.begin(run.pk)
    PublishRun.objects.update(due_at=timezone.now())
    assert publishing.due() == [run.pk]


def test_going_live_keeps_every_version() -> None:
    faq = published()
    FAQ.history.all().delete()
    edit(faq, answer="In one day.", phrasings=("How soon?",))
    step(faq, "submit")
    run = step(faq, "publish", by="reviewer", comment="faster now")
    publishing.go_live(run)
    row = again(faq)
    assert (row.answer, row.stage, [one.text for one in row.phrasings.all()]) == (
        "In one day.",
        "published",
        ["How soon?"],
    )
    new, old = history.versions(row)
    assert (new.content, old.content) == (row.working, content())
    assert (new.history_user, new.history_change_reason) == (person("reviewer"), "faster now")
    assert trail(row)[-1] == ("review", "published")


def test_a_version_comes_back_with_its_phrasings_and_the_draft_stays() -> None:
    faq = published()
    edit(faq, answer="In one day.", phrasings=())
    step(faq, "submit")
    publishing.go_live(step(faq, "publish", by="reviewer"))
    PublishRun.objects.all().delete()
    edit(faq, answer="A third text")
    old = history.versions(faq)[-1]
    run = curation.roll_back(faq_id=faq.pk, history_id=old.history_id, by=person("reviewer"))
    publishing.go_live(run)
    row = again(faq)
    assert (row.answer, [one.text for one in row.phrasings.all()]) == ("In **two** days.", ["How long?"])
    assert row.working.answer == "A third text"
    assert trail(row)[-1] == ("published", "published")


@pytest.mark.parametrize("meanwhile", ["published", "unpublished", "imported"])
def test_a_version_does_not_come_back_over_what_happened_since(meanwhile: str) -> None:
    faq = published()
    edit(faq, answer="In one day.")
    step(faq, "submit")
    done = step(faq, "publish", by="reviewer")
    publishing.go_live(done)
    publishing.end(done, "done")
    unpublishing = step(faq, "unpublish", by="reviewer")
    run = curation.roll_back(faq_id=faq.pk, history_id=history.versions(faq)[-1].history_id, by=person("reviewer"))
    publishing.end(run, "blocked")
    if meanwhile == "published":
        edit(faq, answer="At once.")
        step(faq, "submit")
        publishing.go_live(step(faq, "publish", by="reviewer"))
    elif meanwhile == "unpublished":
        publishing.go_live(unpublishing)
    else:
        # As an import does it.
        row = again(faq)
        row.answer = "At once."
        history.save(row, by=None, keep=False)
    left = (again(faq).status, again(faq).answer)
    PublishRun.objects.exclude(pk=run.pk).delete()
    run = publishing.override(run_id=run.pk, by=person("admin"), reason="Season is over")
    with pytest.raises(publishing.Stale, match="earlier version"):
        publishing.go_live(run)
    assert (again(faq).status, again(faq).answer) == left


@pytest.mark.parametrize(("role", "live"), [("editor", True), ("reviewer", False)])
def test_who_may_not_bring_a_version_back(role: str, live: bool) -> None:
    faq = published()
    version = history.versions(faq)[0]
    if not live:
        FAQ.objects.update(status="archived")
    with pytest.raises(NotAllowed):
        curation.roll_back(faq_id=faq.pk, history_id=version.history_id, by=person(role))
    with pytest.raises(NotAllowed, match="no such version"):
        curation.roll_back(faq_id=faq.pk, history_id=0, by=person(role))


def test_a_text_that_changed_after_the_request_does_not_go_live() -> None:
    faq = draft()
    step(faq, "submit")
    run = step(faq, "publish", by="reviewer")
    FAQ.objects.update(answer="Changed behind the scenes")
    with pytest.raises(publishing.Stale, match="changed"):
        publishing.go_live(run)


def test_unpublishing_archives_and_waits_for_no_next_version() -> None:
    faq = published()
    run = step(faq, "unpublish", by="reviewer")
    with transaction.atomic():
        publishing.go_live(run)
        assert again(faq).status == "archived"
        transaction.set_rollback(True)
    edit(faq, answer="Next")
    with pytest.raises(publishing.Stale, match="next version"):
        publishing.go_live(run)


def test_a_category_that_is_gone_does_not_stop_a_version() -> None:
    faq = published()
    run = step(edit(faq, answer="Next"), "check")
    PublishRun.objects.update(stored=content(category_id=999_999).to_json())
    run.refresh_from_db()
    publishing.go_live(run)
    assert again(faq).category_id == faq.category_id


def test_one_open_run_for_each_change() -> None:
    faq = published()
    step(faq, "unpublish", by="reviewer")
    with pytest.raises(NotAllowed):
        step(faq, "unpublish", by="reviewer")
    with pytest.raises(IntegrityError), transaction.atomic():
        PublishRun.objects.create(faq=faq, action="archive")


def test_overrides_need_an_administrator_a_reason_and_a_blocked_run() -> None:
    faq = published()
    run = step(faq, "unpublish", by="reviewer")
    with pytest.raises(NotAllowed, match="blocked"):
        publishing.override(run_id=run.pk, by=person("admin"), reason="Season is over")
    publishing.end(run, "blocked")
    with pytest.raises(NotAllowed, match="administrators"):
        publishing.override(run_id=run.pk, by=person("reviewer"), reason="Season is over")
    with pytest.raises(NotAllowed, match="Say why"):
        publishing.override(run_id=run.pk, by=person("admin"), reason=" ")
    run = publishing.override(run_id=run.pk, by=person("admin"), reason="Season is over")
    assert (run.status, run.overridden_by) == ("queued", person("admin"))
    publishing.go_live(run)
    comment = faq.status_events.first().comment  # type: ignore[union-attr]
    assert comment == "Golden questions overridden: Season is over"


def test_overrides_of_before_name_nobody_any_more() -> None:
    faq = draft()
    named = "Spring\nGolden questions overridden by admin@example.com: Season is over: see\nthe plan"
    publishing.record(faq, None, "review", "published", named)
    publishing.record(faq, None, "review", "published", "Golden questions overridden by —: Overridden by me: again")
    import_module("faqs.migrations.0051_overrides_name_nobody").scrub(apps, None)
    assert list(faq.status_events.values_list("comment", flat=True)[:2]) == [
        "Golden questions overridden: Overridden by me: again",
        "Spring\nGolden questions overridden: Season is over: see\nthe plan",
    ]


def test_comparison_marks_the_words_that_differ() -> None:
    rows = {row.label: row for row in compare(content(), content(answer="In **three** days.", keywords=("van",)))}
    assert [span.text for span in rows["Answer"].old if span.differs] == ["two"]
    assert [span.text for span in rows["Answer"].new if span.differs] == ["three"]
    assert not rows["Question"].differs
    assert rows["Keywords"].old == []
    assert "Meta title" not in rows
