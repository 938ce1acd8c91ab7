"""The publish gate asks the golden questions through the code that answers visitors, before anybody else sees the change."""

import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from pytest_django import DjangoAssertNumQueries

from chatbot import gate, retrieval, runtime, tasks
from chatbot.providers.base import ProviderUnavailable
from faqs import publishing, selectors
from faqs.models import FAQ, Embedding, GoldenQuestion, PublishRun
from faqs.tests.curating import again, draft, edit, person, published, step

pytestmark = pytest.mark.django_db(transaction=True)
PARCEL = "How do I track my parcel?"
REFUND = "When do I get my refund?"


@pytest.fixture
def parcel() -> FAQ:
    faq = published(question=PARCEL, answer="With the link in our e-mail.", phrasings=())
    tasks.sweep_embeddings()
    GoldenQuestion.objects.create(question="where can I track my parcel", expected=faq)
    GoldenQuestion.objects.create(question="what is the capital of France")
    return faq


@pytest.fixture(autouse=True)
def no_tasks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be queued."""
    queued: list[Any] = []
    monkeypatch.setattr("chatbot.events.dispatch", lambda task, *args: queued.append((task.name, *args)))
    monkeypatch.setattr("chatbot.tasks.dispatch", lambda task, *args: queued.append((task.name, *args)))
    return queued


def in_review(faq: FAQ) -> PublishRun:
    step(faq, "submit")
    run: PublishRun = step(faq, "publish", by="reviewer")
    return run


def passed(run: PublishRun) -> PublishRun:
    gate.pass_through(run.pk)
    run.refresh_from_db()
    return run


def thief() -> FAQ:
    return draft(question="Where can I track my parcel?", answer="Nowhere.", phrasings=("where can I track my parcel",))


def test_a_harmless_faq_goes_live_with_its_vectors(parcel: FAQ, no_tasks: list[Any]) -> None:
    faq = draft(question=REFUND, answer="Within ten days.", phrasings=("money back",))
    run = in_review(faq)
    assert ("chatbot.tasks.publish", run.pk) in no_tasks
    assert passed(run).status == "done"
    assert (run.questions, run.changes) == (2, [])
    assert again(faq).is_live
    assert set(Embedding.objects.filter(faq=faq).values_list("kind", flat=True)) == {"question", "answer", "phrasing"}
    assert retrieval.preview("when do I get my refund", "en")[0] == "answer"
    assert ("chatbot.tasks.embed_faq", faq.pk) in no_tasks


def test_a_faq_that_steals_a_golden_question_is_blocked(parcel: FAQ) -> None:
    faq = thief()
    run = passed(in_review(faq))
    assert run.status == "blocked"
    assert [change["question"] for change in run.regressions] == ["where can I track my parcel"]
    assert run.regressions[0]["before"]["question"] == PARCEL
    assert run.regressions[0]["after"]["faq_id"] == faq.pk
    assert again(faq).status == "review"
    assert not Embedding.objects.filter(faq=faq).exists()
    assert retrieval.preview("where can I track my parcel", "en")[1][0].faq_id == parcel.pk


def test_an_edit_that_gives_up_its_golden_question_is_blocked(parcel: FAQ) -> None:
    edit(parcel, question="Do you sell gift cards?", answer="Yes, in every shop.")
    run = passed(in_review(parcel))
    assert (run.status, again(parcel).question) == ("blocked", PARCEL)
    assert retrieval.preview("where can I track my parcel", "en")[0] == "answer"


def test_an_answer_to_what_must_be_declined_is_blocked(parcel: FAQ) -> None:
    run = passed(in_review(draft(question="What is the capital of France?", answer="Paris.", phrasings=())))
    assert run.status == "blocked"
    assert run.regressions[0]["expected"] == ""


def test_an_administrator_overrides_with_a_reason(parcel: FAQ) -> None:
    faq = thief()
    run = passed(in_review(faq))
    publishing.override(run_id=run.pk, by=person("admin"), reason="The other one goes next")
    assert passed(run).status == "done"
    assert len(run.regressions) == 1
    assert again(faq).is_live


def test_trying_changes_nothing(parcel: FAQ) -> None:
    faq = thief()
    run = passed(step(faq, "check"))
    assert (run.status, len(run.regressions)) == ("done", 1)
    assert again(faq).status == "draft"
    assert not Embedding.objects.filter(faq=faq).exists()


def test_unpublishing_goes_through_the_gate(parcel: FAQ) -> None:
    run = passed(step(parcel, "unpublish", by="reviewer"))
    assert (run.status, again(parcel).is_live) == ("blocked", True)
    GoldenQuestion.objects.filter(expected=parcel).delete()
    run = passed(step(parcel, "unpublish", by="reviewer"))
    assert (run.status, again(parcel).status) == ("done", "archived")
    assert not Embedding.objects.filter(faq=parcel).exists()


def test_a_better_answer_is_shown_and_passes(parcel: FAQ) -> None:
    faq = draft(question=REFUND, answer="Within ten days.", phrasings=())
    GoldenQuestion.objects.create(question="when is my refund paid", expected=faq)
    run = passed(in_review(faq))
    assert [(change["kind"], change["before"]["decision"]) for change in run.changes] == [("fixed", "decline")]
    assert run.status == "done"


def test_an_outdated_run_ends_and_says_why(parcel: FAQ) -> None:
    run = in_review(draft())
    FAQ.objects.filter(pk=run.faq_id).update(answer="Changed behind the scenes")
    assert passed(run).status == "stale"
    assert "changed" in run.error


def test_a_run_is_done_once(parcel: FAQ) -> None:
    run = in_review(draft(question=REFUND))
    assert gate.pass_through(run.pk)
    assert not gate.pass_through(run.pk)
    assert FAQ.history.filter(id=run.faq_id, status="published").count() == 1


def test_nobody_sees_the_candidate_and_a_dead_worker_leaves_nothing(
    parcel: FAQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's connection is cut in the middle of the second round of questions, as a kill of its process cuts it."""
    faq = thief()
    run = in_review(faq)
    seen: list[str] = []
    real = gate._ask

    def cut(run: PublishRun, golden: Any, *, asked: int) -> Any:
        if asked:
            assert again(faq).is_live
            thread = threading.Thread(target=lambda: seen.append(_status_elsewhere(faq)))
            thread.start()
            thread.join()
            connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return real(run, golden, asked=asked)

    monkeypatch.setattr(gate, "_ask", cut)
    with pytest.raises(OperationalError):
        gate.pass_through(run.pk)
    connection.close()
    run.refresh_from_db()
    assert (seen, run.status, again(faq).status) == (["review"], "running", "review")
    monkeypatch.setattr(gate, "_ask", real)
    assert publishing.due() == [run.pk]
    assert passed(run).status == "blocked"
    assert run.attempt == 2


def _status_elsewhere(faq: FAQ) -> str:
    try:
        return again(faq).status
    finally:
        connection.close()


def test_a_run_that_kills_its_workers_is_given_up(parcel: FAQ) -> None:
    run = in_review(draft(question=REFUND))
    PublishRun.objects.update(attempt=publishing.MAX_ATTEMPTS, status="running")
    assert passed(run).status == "failed"
    assert "administrator" in run.error


def test_another_worker_at_the_gate_is_not_waited_for(parcel: FAQ) -> None:
    run = in_review(draft(question=REFUND))
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            assert publishing.take(run.pk)
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(10)
    assert not gate.pass_through(run.pk)
    done.set()
    thread.join()
    assert passed(run).status == "done"


def test_a_provider_that_is_away_is_tried_again(parcel: FAQ, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*args: object, **kwargs: object) -> None:
        raise ProviderUnavailable("The provider is away.")

    run = in_review(draft(question=REFUND))
    with monkeypatch.context() as patch:
        patch.setattr(gate, "retrieve", away)
        assert not gate.pass_through(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == ("running", "The provider is away.")
    assert passed(run).status == "done"
    assert run.error == ""


def test_the_sweep_queues_the_oldest(parcel: FAQ, no_tasks: list[Any]) -> None:
    first, second = in_review(draft(question=REFUND)), in_review(draft(question="Which shops are there?"))
    no_tasks.clear()
    tasks.sweep_publishing()
    assert no_tasks == [("chatbot.tasks.publish", first.pk)]
    tasks.publish(first.pk)
    assert no_tasks[-1] == ("chatbot.tasks.publish", second.pk)
    tasks.publish(second.pk)
    no_tasks.clear()
    tasks.publish(second.pk)
    assert no_tasks == []


def test_progress_is_shown_and_nothing_depends_on_it(parcel: FAQ, settings: Any) -> None:
    run = passed(in_review(draft(question=REFUND)))
    assert gate.progress_of(run.pk) == {"asked": 2, "total": 4}
    assert gate.progress_of(0) == {}
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    assert gate.progress_of(run.pk) == {}
    assert passed(in_review(draft(question="Which shops are there?"))).status == "done"


def test_a_trial_is_known_as_one() -> None:
    async def ask() -> tuple[bool, int]:
        return runtime.in_trial(), await runtime.db(threading.get_ident)

    assert runtime.run_here(ask()) == (True, threading.get_ident())
    assert runtime.run(ask())[0] is False


def test_golden_questions_are_read_in_one_statement(
    parcel: FAQ, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(1):
        assert [one.expected and one.expected.question for one in selectors.golden_questions()] == [PARCEL, None]
