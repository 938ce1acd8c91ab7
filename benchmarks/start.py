"""`python -m benchmarks.start`: seconds from `make run` to the printed address, the first time and the next, and what it holds at rest.

The virtual environment exists already; "cold" creates the cluster, migrates and loads the demo content.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.tests.processes import command_of, descendants, free_port
from tests.system import ROOT

from .live import memory_mb

REST_SECONDS = 20
NAMES = {
    "chatbot.serve": "web",
    "-Q replies": "replies",
    "-Q default": "default",
    "chatbot beat": "beat",
    "postgres -D": "postgresql",
    "valkey-server": "valkey",
    "-m deploy.run": "supervisor",
}


def start(state: Path) -> tuple["subprocess.Popen[str]", float]:
    """The running supervisor, and the seconds until it printed its address."""
    unset = {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL"}
    env = {name: value for name, value in os.environ.items() if name not in unset}
    env |= {"PARLEY_VAR": str(state), "PORT": str(free_port())}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.run"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "Parley is at" in line:
            return process, time.monotonic() - began
    raise SystemExit(f"Parley ended with {process.wait()} before it was there")


def stop(process: "subprocess.Popen[str]") -> float:
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate()
    return time.monotonic() - began


def memory_by_name(pid: int) -> dict[str, float]:
    """Private MB; PostgreSQL with its backends, each process with the one that watches it."""
    found = dict.fromkeys(NAMES.values(), 0.0)
    for member in {pid} | descendants(pid):
        command = command_of(member)
        name = next((name for part, name in NAMES.items() if part in command), "postgresql")
        found[name] += memory_mb(member)
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        state = Path(folder)
        state.chmod(0o755)
        for kind in ("cold", "warm"):
            process, seconds = start(state)
            line = f"{kind}: {seconds:.1f} s to the address"
            if kind == "warm":
                time.sleep(REST_SECONDS)
                memory = memory_by_name(process.pid)
            print(f"{line}, {stop(process):.1f} s to the end", flush=True)
    print("\nprocess     private MB at rest")
    for name, megabytes in memory.items():
        print(f"{name:11} {megabytes:6.0f}")
    print(f"{'all':11} {sum(memory.values()):6.0f}")


if __name__ == "__main__":
    main()
