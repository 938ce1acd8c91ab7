"""Every endpoint against its own OpenAPI document: whatever is sent, no answer may be a 5xx or break the document.

`make fuzz` sends 200 examples to each operation in every role; the suite sends a few.
"""

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
# What opens to API keys and not to sign-ins.
OPENAI = "^v1_"
# Nobody signs in again in the middle.
ENVIRONMENT = {"JWT_ACCESS_SECONDS": "86400", "LOCAL_WORDS_PER_SECOND": "100000"}
_TOKEN = """
from accounts import api_keys, sign_ins
from accounts.models import APIKey, User
from accounts.roles import sync_role
user = User.objects.create_user("fuzz-{role}@example.com", "correct horse battery", role="{role}")
sync_role(user)
print(sign_ins.begin(user=user, user_agent="fuzz", address="127.0.0.1").access, api_keys.create(key=APIKey(user=user, name="fuzz")))
"""


def tokens_of(system: LiveSystem, role: str) -> list[str]:
    """An access token and an API key of a new account."""
    command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", _TOKEN.format(role=role)]
    done = subprocess.run(command, env=system.env, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip().splitlines()[-1].split()


Done = subprocess.CompletedProcess[str]


def run(system: LiveSystem, role: str, *options: str) -> list[Done]:
    """Schemathesis on every operation with the tokens of a role, each where it opens something."""
    access, key = [[], []] if role == "anonymous" else [_bearer(token) for token in tokens_of(system, role)]
    most = ("--exclude-operation-id-regex", f"{FAREWELLS}|{OPENAI}")
    return [
        _run(system, access, *most, *options),
        _run(system, key, "--include-operation-id-regex", OPENAI, *options),
        _run(system, access, "--include-operation-id-regex", FAREWELLS, *options),
    ]


def _bearer(token: str) -> list[str]:
    return ["--header", f"Authorization: Bearer {token}"]


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
        system = LiveSystem(place, "fuzz", 13, services, **ENVIRONMENT)
        try:
            system.begin(*PROCESSES)
            return max(told(system, role, examples) for role in roles or ROLES)
        finally:
            system.end()
            services.stop()


def told(system: LiveSystem, role: str, examples: str) -> int:
    every = run(system, role, "--max-examples", examples)
    for done in every:
        print(f"== {role}\n{done.stdout}{done.stderr}", flush=True)  # noqa: T201
    return max(done.returncode for done in every)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
