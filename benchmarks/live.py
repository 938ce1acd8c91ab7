"""A whole Parley of real processes for a benchmark, its language model beside it, and what each process costs."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import Services, running
from deploy.tests.processes import free_port
from tests.client import Visitor
from tests.system import ROOT, LiveSystem

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class Bench:
    """The running system, the address of its language model, and the process ids to account for."""

    system: LiveSystem
    services: Services
    model_url: str
    pids: dict[str, int]

    def guests(self, count: int) -> list[Visitor]:
        """New guests with sessions."""
        command = [sys.executable, "-m", "benchmarks.guests", str(count)]
        made = subprocess.run(command, env=self.system.env, cwd=ROOT, check=True, capture_output=True, text=True)
        pairs = (line.split(" ", 1) for line in made.stdout.splitlines())
        return [Visitor(self.system.url, user_id, cookie) for user_id, cookie in pairs]

    def cpu_ms(self) -> dict[str, float]:
        """CPU time so far in ms, by process; PostgreSQL with all its backends, those that ended too."""
        for name, process in self.system.processes.items():
            self.pids[name] = process.pid
        return {name: _cpu_ms(pid, children=name == "postgresql") for name, pid in self.pids.items()}


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name: state, parent, ..."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _cpu_ms(pid: int, *, children: bool) -> float:
    user, system, ended_user, ended_system = map(int, _stat(pid)[11:15])
    total = user + system + (ended_user + ended_system if children else 0)
    for path in Path("/proc").glob("[0-9]*") if children else ():
        with contextlib.suppress(OSError):
            fields = _stat(int(path.name))
            if int(fields[1]) == pid:
                total += int(fields[11]) + int(fields[12])
    return total * 1000 / TICKS_PER_SECOND


def memory_mb(pid: int) -> float:
    """Resident memory that is not shared with other processes, in MB."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    private = [int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Private_")]
    return sum(private) / 1024


@contextlib.contextmanager
def django_here() -> Iterator[None]:
    """Set Django up in this process on embedded servers of its own, migrated and empty."""
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        with running(directory) as services:
            os.environ |= {
                "DATABASE_URL": str(services.database_url),
                "REDIS_URL": str(services.redis_url),
                "DJANGO_SETTINGS_MODULE": "chatbot.settings",
                "PARLEY_RUN": "1",
                "LOG_LEVEL": "WARNING",
                "OMP_NUM_THREADS": "1",
            }
            import django
            from django.core.management import call_command
            from django.db import connection

            django.setup()
            call_command("migrate", verbosity=0)
            yield
            connection.close()
            connection.close_pool()  # type: ignore[attr-defined]


@contextlib.contextmanager
def bench(*names: str, server: str = "daphne", **env: str) -> Iterator[Bench]:
    """Run embedded servers, the stand-in language model and the named processes in a folder that is removed afterwards.

    `server` serves the web process: daphne or uvicorn.
    """
    with tempfile.TemporaryDirectory(prefix="parley-bench-") as folder:
        directory = Path(folder)
        directory.chmod(0o755)
        services = Services(directory)
        services.start()
        port = free_port()
        model = subprocess.Popen([sys.executable, "-m", "benchmarks.fake_llm", "--port", str(port)])
        model_url = f"http://127.0.0.1:{port}/v1"
        settings = {"OPENAI_API_KEY": "bench", "OPENAI_BASE_URL": model_url, "LOG_LEVEL": "WARNING"}
        settings |= {"EMBEDDING_PROVIDER": "local", "MODERATION_PROVIDER": "local"}
        system = LiveSystem(directory, "bench", 1, services, **(settings | env))
        system.server = server
        try:
            system.begin(*(names or ("web", "replies", "default", "beat")))
            pids = {"model": model.pid, "load": os.getpid()}
            for embedded in services.servers:
                assert embedded.process is not None
                pids[embedded.name] = embedded.process.pid
            yield Bench(system, services, model_url, pids)
        finally:
            system.end()
            model.terminate()
            model.wait()
            services.stop()
