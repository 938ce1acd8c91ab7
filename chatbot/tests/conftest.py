from collections.abc import Iterator

import pytest

from benchmarks.fake_behaviour import Behaviour
from benchmarks.fake_llm import FakeLLM


@pytest.fixture
def fake_llm() -> Iterator[FakeLLM]:
    """A running server with OpenAI's interface; `fake_llm.behave(...)` sets how it answers."""
    with FakeLLM(Behaviour(tokens=8, interval=0.001, first=0.001)).in_thread() as fake:
        yield fake
