"""What tests ask of real processes."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INHERITED = (
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "LOG_FORMAT",
    "PARLEY_HTTPS",
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], what: str, seconds: float = 30) -> None:
    """Poll a condition of other processes. Raises AssertionError when it does not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, listing.read_text().split()):
            found |= {child} | descendants(child)
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def handles(pid: int, sent: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal by now (`SigCgt` of proc(5))."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (sent - 1) & 1)


def find(pids: set[int], part: str) -> int:
    """The first of the processes whose command contains `part`; 0 when there is none."""
    return min((pid for pid in pids if part in command_of(pid)), default=0)


def supervisor(*arguments: str, log: Path, **env: str) -> subprocess.Popen[bytes]:
    """A Python of its own with a clean environment that may be killed."""
    inherited = {name: value for name, value in os.environ.items() if name not in INHERITED}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=inherited | env, stdout=output, stderr=subprocess.STDOUT
        )


def kill(process: subprocess.Popen[bytes], sent: signal.Signals = signal.SIGKILL) -> int:
    process.send_signal(sent)
    return process.wait(30)
