"""Every endpoint against its own OpenAPI document: whatever is sent, no answer may be a 5xx or break the document.

`make fuzz` sends 200 examples to each operation in every role; the suite sends a few.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.embedded import Services

from .system import ROOT, LiveSystem

CONFIG = Path(__file__).with_name("schemathesis.toml")
ROLES = ("anonymous", "user", "editor", "admin")
PROCESSES = ("web", "replies", "default")
# What may end the sign-in that all the others need comes last, alone.
FAREWELLS = "^(me_destroy|me_sessions_destroy)$"
# Nobody signs in again in the middle.
ENVIRONMENT = {"JWT_ACCESS_SECONDS": "86400", "LOCAL_WORDS_PER_SECOND": "100000"}
_TOKEN = """
from accounts import sign_ins
from accounts.models import User
from accounts.roles import sync_role
user = User.objects.create_user("fuzz-{role}@example.com", "correct horse battery", role="{role}")
sync_role(user)
print(sign_ins.begin(user=user, user_agent="fuzz", address="127.0.0.1").access)
"""


def token_of(system: LiveSystem, role: str) -> str:
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", _TOKEN.format(role=role)]
    done = subprocess.run(command, env=system.env, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1]


Done = subprocess.CompletedProcess[str]


def run(system: LiveSystem, role: str, *options: str) -> tuple[Done, Done]:
    """Schemathesis on every operation, with the token of a role; the last of them in a run of their own."""
    headers = [] if role == "anonymous" else ["--header", f"Authorization: Bearer {token_of(system, role)}"]
    first = _run(system, headers, "--exclude-operation-id-regex", FAREWELLS, *options)
    return first, _run(system, headers, "--include-operation-id-regex", FAREWELLS, *options)


def _run(system: LiveSystem, headers: list[str], *options: str) -> Done:
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", "--config-file", str(CONFIG), "run", *headers]
    command += ["--url", system.url, *options, f"{system.url}/api/schema"]
    return subprocess.run(command, cwd=system.directory, check=False, capture_output=True, text=True)


def main(examples: str = "200", *roles: str) -> int:
    with tempfile.TemporaryDirectory(prefix="parley-fuzz-") as directory:
        place = Path(directory)
        place.chmod(0o755)
        services = Services(place, fast=True)
        services.start()
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = str(services.database_url), str(services.redis_url)
        system = LiveSystem(place, "fuzz", 13, None, **ENVIRONMENT)
        try:
            system.begin(*PROCESSES)
            return max(told(system, role, examples) for role in roles or ROLES)
        finally:
            system.end()
            services.stop()


def told(system: LiveSystem, role: str, examples: str) -> int:
    both = run(system, role, "--max-examples", examples)
    for done in both:
        print(f"== {role}\n{done.stdout}{done.stderr}", flush=True)  # noqa: T201
    return max(done.returncode for done in both)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
