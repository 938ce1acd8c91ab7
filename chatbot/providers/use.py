"""use-multilingual-v3: sentence embeddings for 16 languages in numpy (Yang et al. 2019, arXiv:1907.04307).

The convolutional Universal Sentence Encoder. Each piece of the text is looked up in a quantised table;
three branches read it in windows of 2, 3 and 5 pieces through two residual convolutions; the pieces' own
vectors and the branches' are normalised, summed, divided by the root of their number, and projected to a
unit vector by four residual dense layers.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from . import weights

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

Floats: TypeAlias = NDArray[np.float32]

MAX_TOKENS = 512
WIDTH = 512
BRANCH = 256
TABLES, ROWS = 17, 7530  # piece i is row i // 17 of table i % 17; each table has its own scale and offset
WINDOWS = {2: 0, 3: 1, 5: 2}  # window width -> pieces before the current one
FEATURES = WIDTH + len(WINDOWS) * BRANCH
DENSE = {
    "d0": (WIDTH, 320),
    "d1": (320, 320),
    "p1": (WIDTH, 320),
    "d2": (320, WIDTH),
    "d3": (WIDTH, WIDTH),
    "p3": (320, WIDTH),
}
EPSILON = 1e-12


@dataclass(frozen=True)
class _Norm:
    gain: Floats
    shift: Floats

    def __call__(self, x: Floats) -> Floats:
        centred = x - x.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(EPSILON))
        return np.asarray(centred / deviation * self.gain + self.shift, dtype=np.float32)


@dataclass(frozen=True)
class _Linear:
    matrix: Floats
    bias: Floats

    def __call__(self, x: Floats) -> Floats:
        return x @ self.matrix + self.bias


@dataclass(frozen=True)
class _Branch:
    window: int
    convolutions: tuple[_Linear, _Linear]

    def __call__(self, x: Floats) -> Floats:
        for convolve in self.convolutions:
            x = x + np.maximum(convolve(_windows(x, self.window)), 0)
        return x


def _windows(x: Floats, width: int) -> Floats:
    """Shape (pieces, width * features): each piece beside its neighbours, zeros beyond the ends."""
    before = WINDOWS[width]
    padded = np.pad(x, ((before, width - 1 - before), (0, 0)))
    return np.hstack([padded[shift : shift + len(x)] for shift in range(width)])


@dataclass(frozen=True)
class _Network:
    tables: NDArray[np.uint8]
    scale: Floats
    offset: Floats
    branch_in: _Linear
    branch_norm: _Norm
    branches: tuple[_Branch, ...]
    norm: _Norm
    project: _Linear
    dense: dict[str, Floats]

    def __call__(self, ids: list[int]) -> Floats:
        pieces = self._look_up(np.array(ids))
        features = self.norm(np.hstack([pieces, *self._read_in_windows(pieces)]))
        # Projecting is linear, so it may follow the sum: one row instead of one per piece.
        count = np.float32(len(ids))
        total = features.sum(axis=0) @ self.project.matrix + count * self.project.bias
        vector = self._dense(total / np.sqrt(count))
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    def _look_up(self, ids: NDArray[np.int64]) -> Floats:
        table = ids % TABLES
        return self.tables[table, ids // TABLES] * self.scale[table, None] + self.offset[table, None]

    def _read_in_windows(self, pieces: Floats) -> list[Floats]:
        """One array of shape (pieces, 256) per branch; the three are normalised as one before they part."""
        x = self.branch_norm(self.branch_in(pieces))
        parts = np.hsplit(x, len(self.branches))
        return [branch(part) for branch, part in zip(self.branches, parts, strict=True)]

    def _dense(self, x: Floats) -> Floats:
        """Four layers; the second and the fourth also see what the layer before them saw."""
        d = self.dense
        first = np.maximum(x @ d["d0"], 0)
        second = np.maximum(first @ d["d1"] + x @ d["p1"], 0)
        third = np.maximum(second @ d["d2"], 0)
        return np.asarray(np.tanh(third @ d["d3"] + second @ d["p3"]), dtype=np.float32)


@dataclass(frozen=True)
class _Loaded:
    tokenizer: SentencePieceProcessor
    network: _Network


class UseMultilingualV3:
    """Loaded on first use, then shared by any number of threads. `models_dir`: see weights.find."""

    name = weights.USE_MULTILINGUAL.model
    width = WIDTH

    def __init__(self, models_dir: str | Path | None = None) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Read the weights now instead of at the first text. Raises WeightsError."""
        self._model()

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (512,); tokens after the first 512 do not count.

        Raises ValueError for an empty or blank text and for one that is not valid Unicode, WeightsError when
        the model cannot load.
        """
        if not text.strip():
            raise ValueError("An empty text has no embedding.")
        text.encode()  # a lone surrogate is a ValueError here, and something else in each tokeniser
        model = self._model()
        ids = _ids(model.tokenizer, text)
        with self._slots:  # more calls than processors gain no time and each holds tens of MB
            return model.network(ids)

    def _model(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(weights.find(weights.USE_MULTILINGUAL, self._models_dir))
            return self._loaded


def _ids(tokenizer: SentencePieceProcessor, text: str) -> list[int]:
    """Piece ids between the begin and end marks the model was trained with; at most 512 in all."""
    ids = tokenizer.encode(text)[: MAX_TOKENS - 2] or [tokenizer.unk_id()]
    return [tokenizer.bos_id(), *ids, tokenizer.eos_id()]


def _load(folder: Path) -> _Loaded:
    from sentencepiece import SentencePieceProcessor
    from threadpoolctl import threadpool_limits

    try:
        tokenizer = SentencePieceProcessor(model_file=str(folder / "sp.model"))
        with np.load(folder / "weights.npz", allow_pickle=False) as archive:
            network = _network(archive)
    except weights.WeightsError:
        raise
    except Exception as error:  # zip, numpy and sentencepiece each have errors of their own
        raise weights.WeightsCorrupt(f"{folder} holds no readable model: put the right files there.") from error
    if tokenizer.get_piece_size() > TABLES * ROWS:
        raise weights.WeightsCorrupt(
            f"{folder / 'sp.model'} has more pieces than weights.npz: put {UseMultilingualV3.name} there."
        )
    # For the whole process: the matrices are small, so BLAS threads would only compete with other calls.
    threadpool_limits(limits=1, user_api="blas")
    return _Loaded(tokenizer, network)


def _network(archive: np.lib.npyio.NpzFile) -> _Network:
    def read(name: str, *shape: int) -> Floats:
        return np.asarray(_array(archive, name, shape), dtype=np.float32)

    def side_by_side(name: str, *shape: int) -> Floats:
        return np.concatenate([read(f"{name}{window}", *shape) for window in WINDOWS], axis=-1)

    return _Network(
        tables=_tables(archive),
        scale=read("scale", TABLES),
        offset=read("lo", TABLES),
        branch_in=_Linear(side_by_side("proj", WIDTH, BRANCH), side_by_side("proj_b", BRANCH)),
        branch_norm=_Norm(side_by_side("ln_g", BRANCH), side_by_side("ln_b", BRANCH)),
        branches=tuple(_branch(read, window) for window in WINDOWS),
        norm=_Norm(read("ln_g", FEATURES), read("ln_b", FEATURES)),
        project=_Linear(read("cnn_W", FEATURES, WIDTH), read("cnn_b", WIDTH)),
        dense={name: read(name, *shape) for name, shape in DENSE.items()},
    )


def _tables(archive: np.lib.npyio.NpzFile) -> NDArray[np.uint8]:
    tables = np.empty((TABLES, ROWS, WIDTH), dtype=np.uint8)
    for number in range(TABLES):  # one at a time, so that loading never needs the tables twice
        tables[number] = _array(archive, f"q{number + 1}", (ROWS, WIDTH))
    return tables


def _array(archive: np.lib.npyio.NpzFile, name: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    array: NDArray[np.generic] | None = archive.get(name)
    if array is None or array.shape != shape:
        found = "missing" if array is None else f"of shape {array.shape}"
        raise weights.WeightsCorrupt(
            f"In weights.npz, {name} is {found} instead of {shape}: put {UseMultilingualV3.name} there."
        )
    return array


def _branch(read: Callable[..., Floats], window: int) -> _Branch:
    first, second = (
        _Linear(read(f"w{layer}_{window}", window * BRANCH, BRANCH), read(f"b{layer}_{window}", BRANCH))
        for layer in (1, 2)
    )
    return _Branch(window, (first, second))
