"""`python -m chatbot.serve`: daphne, with its own options, on uvloop; asked to end, it finishes what it was asked."""

import asyncio
import contextlib
import faulthandler
from typing import Any

import uvloop
from twisted.internet import asyncioreactor

# Before daphne is imported, which installs asyncio's own loop where there is none.
asyncioreactor.install(uvloop.new_event_loop())  # type: ignore[no-untyped-call]

from daphne.cli import CommandLineInterface  # noqa: E402
from daphne.http_protocol import WebRequest  # noqa: E402
from daphne.server import Server  # noqa: E402
from django.urls import get_resolver  # noqa: E402
from twisted.internet.defer import Deferred  # noqa: E402
from twisted.internet.tcp import Port  # noqa: E402

from . import collector, runtime  # noqa: E402

REQUEST_SECONDS = 5
CANCEL_SECONDS = 5
# Longer than both, and than a thread waits for any server.
SECONDS_TO_END = 20


class EndingServer(Server):  # type: ignore[misc]
    """Ends in order; daphne stops the loop while threads of requests wait for it, and the process waits for these for ever."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ports: list[Port] = []

    def run(self) -> None:
        # With the views; Django would load them for the first request.
        get_resolver().url_patterns  # noqa: B018
        collector.freeze()
        super().run()

    def listen_success(self, port: Port) -> None:
        super().listen_success(port)
        self.ports.append(port)

    def kill_all_applications(self) -> "Deferred[None]":
        """Called when the process is asked to end. The loop runs on until what is returned is done."""
        # A thread that does not come back: print what each waits for, and exit. Nothing is lost that a `kill -9` would not lose.
        faulthandler.dump_traceback_later(SECONDS_TO_END, exit=True)
        return Deferred.fromFuture(asyncio.ensure_future(self._end()))

    async def _end(self) -> None:
        """Let running requests finish, and cancel everything else, as `asyncio.run` does at its end."""
        for port in self.ports:
            port.stopListening()  # type: ignore[no-untyped-call]
        # Over connections that are kept alive more requests may come meanwhile.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REQUEST_SECONDS):
                while requests := self._requests():
                    await asyncio.wait(requests)
        await runtime.cancel_others(CANCEL_SECONDS)

    def _requests(self) -> "list[asyncio.Task[Any]]":
        """Those that have not ended."""
        tasks = [
            details.get("application_instance")
            for protocol, details in self.connections.items()
            if isinstance(protocol, WebRequest)
        ]
        return [task for task in tasks if task is not None and not task.done()]


if __name__ == "__main__":
    CommandLineInterface.server_class = EndingServer
    CommandLineInterface.entrypoint()
