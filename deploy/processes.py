"""Processes that end with whoever started them, and the few system calls that this takes."""

import ctypes
import os
import signal
import socket
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def dies_with_parent(sent: signal.Signals, parent: int | None = None) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends `sent` to the new process when its parent dies, however it dies (Linux).

    `parent` is the process id of that parent; without it, of the caller.
    """
    prctl = ctypes.CDLL(None).prctl
    expected = parent or os.getpid()

    def set_death_signal() -> None:
        prctl(_PR_SET_PDEATHSIG, sent)
        # The parent may have died before the signal was set; then nothing would ever come.
        if os.getppid() != expected:
            os._exit(1)

    return set_death_signal


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
