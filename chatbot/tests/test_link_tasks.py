"""Links are tried after a change and once a day, where workers have a way out."""

from typing import Any

import pytest

from chatbot import events, tasks
from faqs.models import FAQ, LinkCheck
from faqs.tests.curating import published

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("switched_on", [True, False])
def test_what_is_queued(switched_on: bool, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.LINK_CHECKS = switched_on
    queued: list[str] = []
    monkeypatch.setattr(tasks, "dispatch", lambda task, faq_id: queued.append(task.name.rpartition(".")[2]))
    monkeypatch.setattr(events, "dispatch", lambda task, faq_id: queued.append(task.name.rpartition(".")[2]))
    faq = published()
    tasks.sweep_links()
    events.on_faq_changed(FAQ, faq_id=faq.pk)
    assert queued == (["check_links", "embed_faq", "check_links"] if switched_on else ["embed_faq"])


def test_a_faq_that_is_gone_is_no_error() -> None:
    faq = published(answer="[gone](/help/gone)")
    tasks.check_links(faq.pk)
    assert LinkCheck.objects.get().status == "broken"
    tasks.check_links(0)
