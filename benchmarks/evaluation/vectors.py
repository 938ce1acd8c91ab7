"""Local vectors kept on disk under `var/`, so that a second evaluation computes none of them again."""

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chatbot.providers import registry
from chatbot.providers.local import LocalEmbedder

Encode = Callable[[str], NDArray[np.float32]]


class VectorFile:
    """Vectors by model and text, in one SQLite file; the threads of a process share it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._rows = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._rows.execute("PRAGMA journal_mode = WAL")
        self._rows.execute("PRAGMA synchronous = OFF")
        self._rows.execute("CREATE TABLE IF NOT EXISTS vectors (model, text, vector, PRIMARY KEY (model, text))")

    def kept(self, model: str, encode: Encode) -> Encode:
        def look_up(text: str) -> NDArray[np.float32]:
            with self._lock:
                row = self._rows.execute("SELECT vector FROM vectors WHERE model = ? AND text = ?", (model, text))
                found = row.fetchone()
            if found:
                return np.frombuffer(found[0], dtype=np.float32)
            vector = encode(text)
            with self._lock:
                self._rows.execute("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", (model, text, vector.tobytes()))
            return vector

        return look_up


def keep_on_disk(path: Path) -> None:
    """Let the local models of this process look their vectors up first."""
    file = VectorFile(path)
    for place, embedder in enumerate(registry.embedders()):
        if isinstance(embedder, LocalEmbedder):
            kept = file.kept(embedder.name, embedder.encode)
            registry.embedders()[place] = replace(embedder, encode=kept)
