"""One of each, however many ask at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

from chatbot import runtime, tasks
from chatbot.once import once
from chatbot.providers import registry

THREADS = 8


def test_threads_that_come_at_once_get_the_same() -> None:
    """Found by `make faults`: a worker with two loops, whose clients were used on both, ended with a segmentation fault."""
    together, made = threading.Barrier(THREADS), list[object]()
    second_came = threading.Event()

    @once
    def thing() -> object:
        made.append(object())
        if len(made) > 1:
            second_came.set()
        second_came.wait(0.2)
        return made[-1]

    def ask(_number: int) -> object:
        together.wait()
        return thing()

    with ThreadPoolExecutor(THREADS) as pool:
        given = list(pool.map(ask, range(THREADS)))
    assert made == [given[0]]
    assert set(given) == {given[0]}
    thing.cache_clear()
    assert thing() is not given[0]


def test_what_threads_share_is_made_once() -> None:
    shared = (runtime.loop, tasks.publisher, registry.chat, registry.embedders, registry.moderator)
    assert [type(one) for one in shared] == [once] * len(shared)
