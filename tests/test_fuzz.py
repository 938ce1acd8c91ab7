"""A short form of `make fuzz`: every operation as anonymous and as an admin, with few examples."""

import re

import pytest

from . import fuzz
from .system import LiveSystem

# What no token opens: sign-ins want passwords and refresh tokens.
OTHER_KEYS = ("auth/login", "auth/refresh")


@pytest.mark.parametrize("role", ["anonymous", "admin"])
def test_no_operation_breaks_or_breaks_its_document(live_system: LiveSystem, role: str) -> None:
    for done in fuzz.run(live_system, role, "--max-examples", "2", "--phases", "examples,fuzzing", "--seed", "7"):
        assert done.returncode == 0, done.stdout + done.stderr
        if role != "anonymous":
            refused = re.search(r"Authentication failed: (\d+) operations", done.stdout)
            assert refused is None or int(refused[1]) <= len(OTHER_KEYS), done.stdout
