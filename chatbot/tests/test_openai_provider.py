"""The provider over loopback: the real SDK against a server that fails as told."""

import asyncio
import contextlib
import socket
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
import pytest_asyncio

from benchmarks.fake_llm import FakeLLM
from chatbot.providers import openai
from chatbot.providers.base import (
    ChatMessage,
    ProviderEmpty,
    ProviderError,
    ProviderInterrupted,
    ProviderRejected,
    ProviderUnavailable,
    Usage,
)
from chatbot.providers.openai import OpenAIEmbedder, OpenAIProvider
from chatbot.providers.openai_stream import Events, OpenAIStream

pytestmark = pytest.mark.asyncio
PROMPT = [ChatMessage("system", "Be brief."), ChatMessage("user", "Where is my parcel?")]
TEXT = "Your parcel is here [1]."
KEY = "sk-secret"


def make_provider(base_url: str | None, first: float = 5.0, stall: float = 5.0) -> OpenAIProvider:
    return OpenAIProvider(
        api_key=KEY,
        base_url=base_url,
        chat_model="chat-1",
        embedding_model="embed-1",
        embedding_width=64,
        moderation_model="moderate-1",
        max_tokens=100,
        first_token_seconds=first,
        stall_seconds=stall,
    )


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.001)


@pytest_asyncio.fixture
async def provider(fake_llm: FakeLLM) -> AsyncIterator[OpenAIProvider]:
    async with contextlib.aclosing(make_provider(fake_llm.base_url)) as made:
        yield made


@pytest_asyncio.fixture
async def hasty(fake_llm: FakeLLM) -> AsyncIterator[OpenAIProvider]:
    """A provider that soon loses patience."""
    async with contextlib.aclosing(make_provider(fake_llm.base_url, first=0.3, stall=0.1)) as made:
        yield made


async def told(stream: OpenAIStream) -> tuple[str, ProviderError | None]:
    """All text of a stream, and the error that ended it."""
    text = ""
    try:
        async for piece in stream:
            text += piece
    except ProviderError as error:
        return text, error
    return text, None


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def test_a_reply_streams_with_usage_and_model(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    stream = provider.stream(PROMPT)
    assert (stream.usage, stream.model) == (Usage(), "chat-1")
    pieces = [piece async for piece in stream]
    assert len(pieces) > 1
    assert "".join(pieces).startswith('You asked: "Where is my parcel?" word1')
    assert stream.usage == Usage(prompt_tokens=8, completion_tokens=8)
    assert fake_llm.statistics.last_request["max_tokens"] == 100
    assert fake_llm.statistics.last_authorization == f"Bearer {KEY}"
    assert [piece async for piece in stream] == []


async def test_the_request_waits_for_the_first_piece(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    stream = provider.stream(PROMPT)
    await stream.aclose()
    assert [piece async for piece in stream] == []
    assert fake_llm.statistics.requests["chat"] == 0


async def test_connections_are_kept(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    for _ in range(4):
        assert (await told(provider.stream(PROMPT)))[1] is None
    await provider.moderate("hello")
    assert fake_llm.statistics.connections == 1


@pytest.mark.parametrize(
    "options",
    [
        {"split": 1},
        {"split": 3, "crlf": True},
        {"comments": True, "crlf": True},
        {"usage": False},
        {"done": False},
        {"finish": False},
        {"done": False, "usage": False},
        {"linger": 30},
        {"first": 0, "interval": 0},
        {"first": 0, "interval": 0, "linger": 30},
    ],
    ids=str,
)
async def test_every_form_of_a_stream_is_read(
    fake_llm: FakeLLM, provider: OpenAIProvider, options: dict[str, object]
) -> None:
    text = "Größe 😀 „ja“ line\u2028two\u0085 end [1]."
    fake_llm.behave(text=text, **options)
    assert await told(provider.stream(PROMPT)) == (text, None)


@pytest.mark.parametrize("fault", ["cut", "invalid", "error"])
async def test_a_break_after_text_interrupts(fake_llm: FakeLLM, provider: OpenAIProvider, fault: str) -> None:
    fake_llm.behave(text=TEXT, **{fault: 2})
    text, error = await told(provider.stream(PROMPT))
    assert text == "Your parcel "
    assert isinstance(error, ProviderInterrupted)
    assert error.code == "provider_interrupted"
    assert fake_llm.statistics.requests["chat"] == 1


async def test_text_that_arrives_with_a_broken_line_is_kept(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, first=0, interval=0, error=2)
    text, error = await told(provider.stream(PROMPT))
    assert (text, type(error)) == ("Your parcel ", ProviderInterrupted)


async def test_a_stall_interrupts(fake_llm: FakeLLM, hasty: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, stall=2)
    text, error = await told(hasty.stream(PROMPT))
    assert (text, type(error)) == ("Your parcel ", ProviderInterrupted)
    await until(lambda: fake_llm.statistics.streams_open == 0)


async def test_an_end_without_finish_interrupts(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, finish=False, done=False)
    text, error = await told(provider.stream(PROMPT))
    assert (text, type(error)) == (TEXT, ProviderInterrupted)


async def test_a_silent_end_after_the_finish_is_complete(fake_llm: FakeLLM, hasty: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, done=False, linger=30)
    assert await told(hasty.stream(PROMPT)) == (TEXT, None)


@pytest.mark.parametrize("fault", ["cut", "invalid", "error"])
async def test_a_break_before_text_is_tried_once_more(fake_llm: FakeLLM, provider: OpenAIProvider, fault: str) -> None:
    fake_llm.behave(text=TEXT, times=1, **{fault: 0})
    assert await told(provider.stream(PROMPT)) == (TEXT, None)
    assert fake_llm.statistics.requests["chat"] == 2


@pytest.mark.parametrize("fault", ["cut", "invalid", "error"])
async def test_a_second_break_before_text_is_the_end(fake_llm: FakeLLM, provider: OpenAIProvider, fault: str) -> None:
    fake_llm.behave(text=TEXT, **{fault: 0})
    text, error = await told(provider.stream(PROMPT))
    assert (text, type(error)) == ("", ProviderUnavailable)
    assert fake_llm.statistics.requests["chat"] == 2


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_failed_start_is_tried_again(fake_llm: FakeLLM, provider: OpenAIProvider, status: int) -> None:
    fake_llm.behave(text=TEXT, status=status, times=2)
    assert await told(provider.stream(PROMPT)) == (TEXT, None)
    assert fake_llm.statistics.requests["chat"] == 3


async def test_a_refused_connection_is_tried_again(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, refuse=True, times=2)
    assert await told(provider.stream(PROMPT)) == (TEXT, None)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"status": 429}, ProviderUnavailable, "HTTP 429 (rate_limit_exceeded)"),
        ({"status": 500}, ProviderUnavailable, "HTTP 500 (no code)"),
        ({"status": 400}, ProviderRejected, "HTTP 400 (context_length_exceeded)"),
        ({"status": 401}, ProviderRejected, "HTTP 401 (invalid_api_key)"),
        ({"status": 404}, ProviderRejected, "HTTP 404 (no code)"),
        ({"refuse": True}, ProviderUnavailable, "ServerDisconnectedError"),
        ({"body": "<html>"}, ProviderUnavailable, "the stream ended early"),
        ({"body": "data: []\n"}, ProviderUnavailable, "the stream holds something else than a reply"),
        ({"empty": True}, ProviderEmpty, "a reply without text"),
    ],
    ids=str,
)
async def test_no_text_tells_why(
    fake_llm: FakeLLM,
    provider: OpenAIProvider,
    options: dict[str, object],
    kind: type[ProviderError],
    message: str,
) -> None:
    fake_llm.behave(**options)
    text, error = await told(provider.stream(PROMPT))
    assert (text, type(error), str(error)) == ("", kind, message)
    assert KEY not in "".join(traceback.format_exception(error))


async def test_nothing_in_time_is_unavailable(fake_llm: FakeLLM, hasty: OpenAIProvider) -> None:
    fake_llm.behave(first=30)
    text, error = await told(hasty.stream(PROMPT))
    assert (text, type(error), str(error)) == ("", ProviderUnavailable, "no answer in time")
    await until(lambda: fake_llm.statistics.streams_open == 0)


async def test_a_server_that_is_away_is_unavailable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    async with contextlib.aclosing(make_provider(url)) as provider:
        with pytest.raises(ProviderUnavailable, match="ConnectionRefusedError"):
            await provider.complete(PROMPT, max_tokens=5)


async def test_something_else_than_http_is_unavailable() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ready\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with contextlib.aclosing(make_provider(url)) as provider:
            with pytest.raises(ProviderUnavailable):
                await anext(provider.stream(PROMPT))


async def test_closing_ends_the_stream_at_the_provider(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(tokens=100_000, interval=0.01)
    stream = provider.stream(PROMPT)
    assert await anext(stream)
    assert fake_llm.statistics.streams_open == 1
    await stream.aclose()
    await until(lambda: fake_llm.statistics.streams_open == 0)
    assert [piece async for piece in stream] == []


@pytest.mark.parametrize("options", [{"first": 30}, {"first": 0.001, "interval": 30}], ids=str)
async def test_cancelling_ends_the_stream_at_the_provider(
    fake_llm: FakeLLM, provider: OpenAIProvider, options: dict[str, object]
) -> None:
    fake_llm.behave(tokens=50, **options)
    reading = asyncio.create_task(told(provider.stream(PROMPT)))
    await until(lambda: fake_llm.statistics.streams_open == 1)
    reading.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await reading
    assert reading.cancelled()
    await until(lambda: fake_llm.statistics.streams_open == 0)


async def test_a_deadline_of_the_caller_stays_the_callers(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(tokens=50, interval=30)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await told(provider.stream(PROMPT))
    await until(lambda: fake_llm.statistics.streams_open == 0)


async def test_streams_run_side_by_side(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text=TEXT, interval=0.01)
    assert await asyncio.gather(*(told(provider.stream(PROMPT)) for _ in range(50))) == [(TEXT, None)] * 50


async def test_what_the_database_would_refuse_is_left_out(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text="Your \0parcel\0 is here\0.")
    assert await told(provider.stream(PROMPT)) == ("Your parcel is here.", None)
    assert await provider.complete(PROMPT, max_tokens=5) == "Your parcel is here."
    events = Events("chat-1")
    events.feed(b'data: {"model": "/models/\\u0000%b"}\n' % (b"a" * 200))
    assert events.text() == ""
    assert events.model == "/models/" + "a" * 92
    fake_llm.behave(text="\0")
    assert isinstance((await told(provider.stream(PROMPT)))[1], ProviderEmpty)


async def test_complete_answers_with_the_text(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(text="A title")
    assert await provider.complete(PROMPT, max_tokens=5) == "A title"
    assert fake_llm.statistics.last_request["max_tokens"] == 5


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        ({"empty": True}, ProviderEmpty),
        ({"body": "<html>"}, ProviderUnavailable),
        ({"body": "{}"}, ProviderUnavailable),
        ({"body": '{"choices": []}'}, ProviderUnavailable),
        ({"status": 401}, ProviderRejected),
    ],
    ids=str,
)
async def test_complete_fails(
    fake_llm: FakeLLM, provider: OpenAIProvider, options: dict[str, object], kind: type[ProviderError]
) -> None:
    fake_llm.behave(**options)
    with pytest.raises(kind) as caught:
        await provider.complete(PROMPT, max_tokens=5)
    assert KEY not in str(caught.value)


WHOLE: dict[str, Callable[[OpenAIProvider], Awaitable[object]]] = {
    "complete": lambda provider: provider.complete(PROMPT, max_tokens=5),
    "embed": lambda provider: provider.embed(["hello"]),
    "moderate": lambda provider: provider.moderate("hello"),
}


@pytest.mark.parametrize("ask", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("options", [{"first": 30}, {"stall": 0}], ids=str)
async def test_an_answer_that_never_ends_is_given_up(
    fake_llm: FakeLLM,
    provider: OpenAIProvider,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, object],
    ask: Callable[[OpenAIProvider], Awaitable[object]],
) -> None:
    monkeypatch.setattr(openai, "ANSWER_SECONDS", 0.2)
    fake_llm.behave(**options)
    with pytest.raises(ProviderUnavailable, match="no answer in time"):
        await ask(provider)


@pytest.mark.parametrize("ask", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("fault", ["cut", "invalid"])
async def test_an_answer_that_breaks_off_is_unavailable(
    fake_llm: FakeLLM, provider: OpenAIProvider, fault: str, ask: Callable[[OpenAIProvider], Awaitable[object]]
) -> None:
    fake_llm.behave(**{fault: 0})
    with pytest.raises(ProviderUnavailable):
        await ask(provider)


async def test_vectors_come_in_the_order_of_the_texts(
    provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openai, "EMBED_BATCH", 2)
    embedder = OpenAIEmbedder(provider)
    assert (embedder.provider, embedder.name, embedder.width, embedder.languages) == (
        "openai",
        "embed-1",
        64,
        (),
    )
    near, question, far = await embedder.embed(["delivery time", "delivery time?", "opening hours"])
    assert near == pytest.approx(question)
    assert sum(a * b for a, b in zip(question, far, strict=True)) < 0.9
    assert await embedder.embed([]) == []


async def test_vectors_of_another_width_are_rejected(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    fake_llm.behave(body='{"data": [{"index": 0, "embedding": [0.5, 1]}]}')
    with pytest.raises(ProviderRejected, match=r"1 vectors of \[2\] numbers for 1 texts"):
        await provider.embed(["hello"])


async def test_a_message_is_moderated(provider: OpenAIProvider) -> None:
    assert not (await provider.moderate("hello")).flagged
    verdict = await provider.moderate("FLAGME please")
    assert (verdict.flagged, verdict.categories, verdict.provider) == (
        True,
        ("harassment", "violence"),
        "openai",
    )


async def test_ping(fake_llm: FakeLLM, provider: OpenAIProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    await provider.ping()
    fake_llm.behave(status=503)
    with pytest.raises(ProviderUnavailable):
        await provider.ping()
    assert fake_llm.statistics.requests["models"] == 2
    monkeypatch.setattr(openai, "PING_SECONDS", 0.05)
    fake_llm.behave(first=30)
    with pytest.raises(ProviderUnavailable, match="no answer in time"):
        await provider.ping()


async def test_the_limit_has_a_new_name_at_openai() -> None:
    async with contextlib.aclosing(make_provider("https://api.openai.com/v1")) as provider:
        assert provider._limit(7) == {"max_completion_tokens": 7}


async def test_a_message_can_order_a_fault(fake_llm: FakeLLM, provider: OpenAIProvider) -> None:
    ordered = [ChatMessage("user", 'Hi [[fake: text="exactly this [1]" status=503 times=1]]')]
    assert await told(provider.stream(ordered)) == ("exactly this [1]", None)
    assert fake_llm.statistics.requests["chat"] == 2
    with pytest.raises(ProviderRejected):
        await provider.moderate("[[fake: status=400]]")


async def test_the_fake_server_is_controlled_over_http() -> None:
    async with FakeLLM() as fake, aiohttp.ClientSession(fake.base_url.removesuffix("v1")) as client:
        changed = await client.post("_control", json={"status": 503, "endpoint": "models", "usage": "false"})
        behaviour = (await changed.json())["behaviour"]
        assert (behaviour["status"], behaviour["usage"]) == (503, False)
        assert (await client.post("_control", json={"speed": 1})).status == 400
        assert (await client.get("v1/models")).status == 503
        assert (await client.get("v1/models", headers={"X-Fake": '{"status": 401}'})).status == 401
        embeddings = {"model": "embed-1", "input": "hello"}
        assert (await client.post("v1/embeddings", json=embeddings)).status == 200
        seen = await (await client.get("_control")).json()
    assert seen["requests"] == {"models": 2, "embeddings": 1}
    assert (seen["streams_open"], seen["last_request"]) == (0, embeddings)
