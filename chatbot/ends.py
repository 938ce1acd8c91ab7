"""What everything that talks to visitors in one event loop shares (a web process has one loop)."""

import asyncio

from .hub import Hub
from .inbox import Inbox

_ends: dict[asyncio.AbstractEventLoop, tuple[Hub, Inbox]] = {}


def _end() -> tuple[Hub, Inbox]:
    running = asyncio.get_running_loop()
    if running not in _ends:
        for closed in [loop for loop in _ends if loop.is_closed()]:
            del _ends[closed]
        _ends[running] = Hub(), Inbox()
    return _ends[running]


def hub() -> Hub:
    return _end()[0]


def inbox() -> Inbox:
    return _end()[1]
