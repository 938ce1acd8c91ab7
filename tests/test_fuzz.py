"""A short form of `make fuzz`: every operation as anonymous and as an admin, with few examples."""

import pytest

from . import fuzz
from .system import LiveSystem


@pytest.mark.parametrize("role", ["anonymous", "admin"])
def test_no_operation_breaks_or_breaks_its_document(live_system: LiveSystem, role: str) -> None:
    done = fuzz.run(live_system, role, "--max-examples", "2", "--phases", "examples,fuzzing", "--seed", "7")
    assert done.returncode == 0, done.stdout + done.stderr
