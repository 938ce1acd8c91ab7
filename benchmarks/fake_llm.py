"""A stand-in for a server with OpenAI's interface: streams at a set pace and fails as told.

`python -m benchmarks.fake_llm --port 9000`. What a request meets is a `Behaviour`: the server's default (POST
/_control with a JSON object; `{}` restores it), then a directive in the last user message or input, such as
`[[fake: status=429 times=2]]`, then a JSON object in the `X-Fake` header; the later ones win, field by field.
GET /_control tells what the server has seen.
"""

import argparse
import asyncio
import contextlib
import dataclasses
import json
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import orjson
from aiohttp import web

from .fake_behaviour import DIRECTIVE, Behaviour, directive
from .fake_reply import Reply, Statistics, drop, failure, moderation, tokens_of, vectors

JSON_TYPE = "application/json"


class FakeLLM:
    """The server: `async with FakeLLM()` runs it on this loop, `with FakeLLM().in_thread()` beside it."""

    def __init__(self, behaviour: Behaviour | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.behaviour = self.first_behaviour = behaviour or Behaviour()
        self.statistics = Statistics()
        self.host, self.port = host, port
        self._met: Counter[tuple[Any, ...]] = Counter()
        self._peers: set[Any] = set()
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}/v1"

    def behave(self, **options: Any) -> None:
        """Set the default behaviour: the first one with these changes. Forgets which faults were met."""
        self.behaviour = self.first_behaviour.merged(options)
        self._met.clear()

    async def start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/embeddings", self._embeddings),
                web.post("/v1/moderations", self._moderations),
                web.get("/v1/models", self._models),
                web.post("/_control", self._set_control),
                web.get("/_control", self._get_control),
            ]
        )
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=2048)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.stop()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Self]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="fake-llm", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.start(), loop).result()
            yield self
            asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _set_control(self, request: web.Request) -> web.Response:
        try:
            self.behave(**await request.json())
        except (TypeError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return await self._get_control(request)

    async def _get_control(self, _request: web.Request) -> web.Response:
        return web.json_response({"behaviour": dataclasses.asdict(self.behaviour), **vars(self.statistics)})

    async def _meet(self, request: web.Request, endpoint: str, said: str) -> tuple[Behaviour, web.Response | None]:
        """The behaviour for this request, and the answer where that is already the fault."""
        self.statistics.requests[endpoint] += 1
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
            self.statistics.connections = len(self._peers)
        header = json.loads(request.headers.get("X-Fake", "{}"))
        behaviour = self.behaviour.merged(directive(said)).merged(header)
        elsewhere = behaviour.endpoint not in {"", endpoint}
        if elsewhere or 0 < behaviour.times <= self._met[behaviour.kind()]:
            return behaviour.without_faults(), None
        self._met[behaviour.kind()] += 1
        if behaviour.refuse:
            await drop(request)
        if behaviour.status:
            return behaviour, failure(behaviour)
        return behaviour, web.Response(text=behaviour.body, content_type=JSON_TYPE) if behaviour.body else None

    async def _asked(self, request: web.Request) -> dict[str, Any]:
        asked: dict[str, Any] = orjson.loads(await request.read())
        self.statistics.last_request = asked
        self.statistics.last_authorization = request.headers.get("Authorization", "")
        return asked

    async def _whole(self, request: web.Request, behaviour: Behaviour, answer: dict[str, Any]) -> web.Response:
        """An answer that is not streamed, or what becomes of it after `first` seconds: it has no tokens, so any number of them will do."""
        await asyncio.sleep(behaviour.first)
        if behaviour.cut >= 0:
            await drop(request)
        if behaviour.stall >= 0:
            await asyncio.Event().wait()
        body = orjson.dumps(answer)
        return web.Response(body=body[: len(body) // 2] if behaviour.invalid >= 0 else body, content_type=JSON_TYPE)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        asked = await self._asked(request)
        said = next((m["content"] for m in reversed(asked["messages"]) if m["role"] == "user"), "")
        behaviour, failed = await self._meet(request, "chat", said)
        if failed is not None:
            return failed
        reply = Reply(asked, behaviour, tokens_of(behaviour, DIRECTIVE.sub("", said).strip()), self.statistics)
        if asked.get("stream"):
            return await reply.stream(request)
        return await self._whole(request, behaviour, reply.whole())

    async def _embeddings(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        behaviour, failed = await self._meet(request, "embeddings", "\n".join(texts))
        return failed or await self._whole(request, behaviour, vectors(asked, texts))

    async def _moderations(self, request: web.Request) -> web.Response:
        asked = await self._asked(request)
        behaviour, failed = await self._meet(request, "moderations", asked["input"])
        return failed or await self._whole(request, behaviour, moderation(asked))

    async def _models(self, request: web.Request) -> web.Response:
        behaviour, failed = await self._meet(request, "models", "")
        models = {"object": "list", "data": [{"id": "fake-1", "object": "model"}]}
        return failed or await self._whole(request, behaviour, models)


async def serve(fake: FakeLLM) -> None:
    async with fake:
        print(f"Serving on {fake.base_url}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    defaults = Behaviour()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tokens", type=int, default=defaults.tokens)
    parser.add_argument("--interval", type=float, default=defaults.interval, help="seconds between two tokens")
    parser.add_argument("--first", type=float, default=defaults.first, help="seconds to the first token")
    options = parser.parse_args()
    behaviour = Behaviour(tokens=options.tokens, interval=options.interval, first=options.first)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(FakeLLM(behaviour, host=options.host, port=options.port)))


if __name__ == "__main__":
    main()
