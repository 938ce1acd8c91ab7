"""`python -m chatbot.serve`: daphne, with its own options, on uvloop; asked to end, it ends."""

import faulthandler

import uvloop
from twisted.internet import asyncioreactor

# Before daphne is imported, which installs asyncio's own loop where there is none.
asyncioreactor.install(uvloop.new_event_loop())  # type: ignore[no-untyped-call]

from daphne.cli import CommandLineInterface  # noqa: E402
from twisted.internet import reactor  # noqa: E402

# Longer than daphne gives the sockets, and any server that a thread waits for.
SECONDS_TO_END = 20


def end_in_time() -> None:
    """Print what every thread waits for and exit, should a thread not come back: nothing is lost that a `kill -9` would not lose."""
    faulthandler.dump_traceback_later(SECONDS_TO_END, exit=True)


if __name__ == "__main__":
    reactor.addSystemEventTrigger("before", "shutdown", end_in_time)  # type: ignore[attr-defined,arg-type]
    CommandLineInterface.entrypoint()
