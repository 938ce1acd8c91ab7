"""bge-small-en-v1.5: English sentence embeddings by ONNX Runtime (Xiao et al. 2023, arXiv:2309.07597)."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import weights

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MAX_TOKENS = 512
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}


@dataclass(frozen=True)
class _Loaded:
    tokenizer: Tokenizer
    session: InferenceSession


class BgeSmallEn:
    """Loaded on first use, then shared by any number of threads. `models_dir`: see weights.find."""

    # Not the name of the weights alone: vectors of another pooling cannot be compared with these.
    name = f"{weights.BGE_SMALL_EN.model}-mean"
    width = 384

    def __init__(self, models_dir: str | Path | None = None) -> None:
        self._models_dir = models_dir
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(os.cpu_count() or 1)
        self._loaded: _Loaded | None = None

    def load(self) -> None:
        """Read the weights now instead of at the first text. Raises WeightsError."""
        self._model()

    def embed(self, text: str) -> NDArray[np.float32]:
        """One unit vector, shape (384,); tokens after the first 512 do not count.

        One text per call: the int8 weights quantise activations over the whole batch, so in a batch a
        vector would depend on its neighbours.
        Raises ValueError for an empty or blank text and for one that is not valid Unicode, WeightsError when
        the model cannot load.
        """
        if not text.strip():
            raise ValueError("An empty text has no embedding.")
        text.encode()  # a lone surrogate is a ValueError here, and something else in each tokeniser
        model = self._model()
        encoding = model.tokenizer.encode(text)
        feed = {
            "input_ids": np.array([encoding.ids], dtype=np.int64),
            "attention_mask": np.array([encoding.attention_mask], dtype=np.int64),
            "token_type_ids": np.array([encoding.type_ids], dtype=np.int64),
        }
        with self._slots:  # more calls than processors gain no time and each holds tens of MB
            states = np.asarray(model.session.run(None, feed)[0], dtype=np.float32)
        mean = states[0].mean(axis=0)  # finds more than the [CLS] token does: docs/models.md
        return np.asarray(mean / np.linalg.norm(mean), dtype=np.float32)

    def _model(self) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = _load(weights.find(weights.BGE_SMALL_EN, self._models_dir))
            return self._loaded


def _load(folder: Path) -> _Loaded:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        session = _session(folder / "model.onnx")
    except Exception as error:  # both libraries raise bare Exception subclasses of their own
        raise weights.WeightsCorrupt(f"{folder} holds no readable model: put the right files there.") from error
    tokenizer.enable_truncation(max_length=MAX_TOKENS)
    tokenizer.no_padding()
    _check_shape(session, folder)
    return _Loaded(tokenizer, session)


def _session(path: Path) -> InferenceSession:
    """One thread per call: calls already run side by side, and the result never depends on scheduling."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _check_shape(session: InferenceSession, folder: Path) -> None:
    inputs = {item.name for item in session.get_inputs()}
    width = session.get_outputs()[0].shape[-1]
    if inputs != INPUTS or width != BgeSmallEn.width:
        raise weights.WeightsCorrupt(
            f"{folder / 'model.onnx'} gives {width} numbers per token from {sorted(inputs)}, "
            f"not {BgeSmallEn.width} from {sorted(INPUTS)}: put {BgeSmallEn.name} there."
        )
