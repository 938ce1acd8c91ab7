import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def open_folder() -> Path:
    """A temporary folder that every user may enter, unlike pytest's own: PostgreSQL is another user when this is root."""
    folder = Path(tempfile.mkdtemp(prefix="parley-deploy-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def state() -> Iterator[Path]:
    folder = open_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_state() -> Iterator[Path]:
    folder = open_folder()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
