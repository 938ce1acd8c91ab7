from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from benchmarks.fake_behaviour import Behaviour
from benchmarks.fake_llm import FakeLLM
from chatbot import live
from chatbot.providers import registry
from chatbot.runtime import run

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


@pytest.fixture
def openai_worker(settings: Any, fake_llm: FakeLLM) -> Iterator[FakeLLM]:
    """The SDK for everything, used from the loop of the worker's tasks."""
    settings.EMBEDDING_PROVIDER = settings.MODERATION_PROVIDER = "openai"
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "test", fake_llm.base_url
    settings.OPENAI_EMBEDDING_WIDTH = 64
    made = (registry.chat, registry.moderator, registry.embedders)
    for cached in made:
        cached.cache_clear()
    yield fake_llm
    run(registry.chat().aclose())
    for cached in made:
        cached.cache_clear()


@pytest.fixture
async def openai(settings: Any, fake_llm: FakeLLM) -> AsyncIterator[FakeLLM]:
    """The SDK for answers and moderation, used from the test's own loop."""
    settings.CHAT_PROVIDER = settings.MODERATION_PROVIDER = "openai"
    settings.OPENAI_API_KEY, settings.OPENAI_BASE_URL = "test", fake_llm.base_url
    registry.chat.cache_clear()
    registry.moderator.cache_clear()
    yield fake_llm
    await registry.chat().aclose()
    registry.chat.cache_clear()
    registry.moderator.cache_clear()
