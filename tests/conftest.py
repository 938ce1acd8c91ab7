from collections.abc import Iterator

import pytest

from benchmarks.fake_llm import FakeLLM

from .system import LiveSystem


@pytest.fixture(scope="session")
def live_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSystem]:
    """Parley as it comes: the local provider and the demo content."""
    system = LiveSystem(tmp_path_factory.mktemp("live"), "local", 14, LOCAL_WORDS_PER_SECOND="20")
    system.begin("web", "replies", "default", "beat")
    yield system
    system.end()


@pytest.fixture(scope="session")
def provider() -> Iterator[FakeLLM]:
    """The OpenAI-compatible server that `faulty_system` talks to."""
    with FakeLLM().in_thread() as server:
        yield server


@pytest.fixture(scope="session")
def faulty_system(tmp_path_factory: pytest.TempPathFactory, provider: FakeLLM) -> Iterator[LiveSystem]:
    """Two replies workers and a language model that can be told to fail."""
    system = LiveSystem(
        tmp_path_factory.mktemp("faulty"),
        "faulty",
        15,
        OPENAI_API_KEY="test",
        OPENAI_BASE_URL=provider.base_url,
        EMBEDDING_PROVIDER="local",
        MODERATION_PROVIDER="local",
        REPLY_STALL_SECONDS="2",
        SOCKET_FRAMES_PER_SECOND="500",
        REPLY_FIRST_TOKEN_SECONDS="3",
    )
    system.begin("web", "replies1", "replies2", "default", "beat")
    yield system
    system.end()
