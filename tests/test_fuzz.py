"""A short form of `make fuzz`: every operation as anonymous and as an admin, with few examples."""

import re

import pytest

from . import fuzz
from .system import LiveSystem

# What a token of the API does not open: sign-ins want passwords and refresh tokens, the OpenAI-compatible endpoints API keys.
OTHER_KEYS = ("auth/login", "auth/refresh", "v1/chat/completions", "v1/models")


@pytest.mark.parametrize("role", ["anonymous", "admin"])
def test_no_operation_breaks_or_breaks_its_document(live_system: LiveSystem, role: str) -> None:
    for done in fuzz.run(live_system, role, "--max-examples", "2", "--phases", "examples,fuzzing", "--seed", "7"):
        assert done.returncode == 0, done.stdout + done.stderr
        if role != "anonymous":
            refused = re.search(r"Authentication failed: (\d+) operations", done.stdout)
            assert refused is None or int(refused[1]) <= len(OTHER_KEYS), done.stdout
