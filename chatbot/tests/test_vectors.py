"""A question is embedded once, however many look for it and whoever gives up."""

import asyncio
from collections.abc import Sequence

from chatbot.providers.base import ProviderUnavailable
from chatbot.question_vectors import QuestionVectors


class Slow:
    """An embedder that answers when it is told to."""

    name, provider, width, languages = "slow", "test", 2, ()

    def __init__(self, *, fails: bool = False) -> None:
        self.asked: list[str] = []
        self.go = asyncio.Event()
        self.fails = fails

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        self.asked.extend(texts)
        await self.go.wait()
        if self.fails:
            raise ProviderUnavailable("gone")
        return [[1.0, 0.0] for _ in texts]


async def begun(vectors: QuestionVectors, embedder: Slow, count: int) -> "list[asyncio.Task[Sequence[float]]]":
    tasks = [asyncio.create_task(vectors.of(embedder, "How long?")) for _ in range(count)]
    async with asyncio.timeout(5):
        while not embedder.asked:
            await asyncio.sleep(0)
    return tasks


async def test_those_who_ask_the_same_at_the_same_time_share_an_embedding() -> None:
    vectors, embedder = QuestionVectors(10), Slow()
    tasks = await begun(vectors, embedder, 3)
    embedder.go.set()
    assert [list(vector) for vector in await asyncio.gather(*tasks)] == [[1.0, 0.0]] * 3
    assert list(await vectors.of(embedder, "How long?")) == [1.0, 0.0]
    assert embedder.asked == ["How long?"]


async def test_who_gives_up_does_so_for_himself() -> None:
    vectors, embedder = QuestionVectors(10), Slow()
    first, second = await begun(vectors, embedder, 2)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    embedder.go.set()
    assert list(await second) == [1.0, 0.0]
    assert embedder.asked == ["How long?"]


async def test_a_failure_is_everybodys_and_is_not_kept() -> None:
    vectors, embedder = QuestionVectors(10), Slow(fails=True)
    tasks = await begun(vectors, embedder, 2)
    embedder.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ProviderUnavailable] * 2
    embedder.fails = False
    assert list(await vectors.of(embedder, "How long?")) == [1.0, 0.0]


async def test_only_the_latest_are_kept() -> None:
    vectors, embedder = QuestionVectors(2), Slow()
    embedder.go.set()
    for question in ("One", "Two", "One", "Three", "One", "Two"):
        await vectors.of(embedder, question)
    assert embedder.asked == ["One", "Two", "Three", "Two"]
