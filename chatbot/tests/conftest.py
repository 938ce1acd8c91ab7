from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from benchmarks.fake_behaviour import Behaviour
from benchmarks.fake_llm import FakeLLM
from chatbot import live

from .asking import make_faqs


@pytest.fixture
def fake_llm() -> Iterator[FakeLLM]:
    """A running server with OpenAI's interface; `fake_llm.behave(...)` sets how it answers."""
    with FakeLLM(Behaviour(tokens=8, interval=0.001, first=0.001)).in_thread() as fake:
        yield fake


@pytest.fixture
def knowledge() -> None:
    make_faqs()


@pytest.fixture
async def publisher(settings: Any) -> AsyncIterator[live.Publisher]:
    settings.LOCAL_WORDS_PER_SECOND = 10_000
    made = live.Publisher(live.connect())
    yield made
    await made.client.aclose()
