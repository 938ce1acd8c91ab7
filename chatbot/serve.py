"""`python -m chatbot.serve`: daphne, with its own options, on uvloop."""

import uvloop
from twisted.internet import asyncioreactor

# Before daphne is imported, which installs asyncio's own loop where there is none.
asyncioreactor.install(uvloop.new_event_loop())  # type: ignore[no-untyped-call]

from daphne.cli import CommandLineInterface  # noqa: E402

if __name__ == "__main__":
    CommandLineInterface.entrypoint()
