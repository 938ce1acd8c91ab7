"""The offline provider: two embedding models on the CPU and a small rule set for moderation."""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from .base import Verdict
from .bge import BgeSmallEn
from .use import UseMultilingualV3

PROVIDER = "local"
PROCESSORS = os.cpu_count() or 1


@dataclass(frozen=True)
class LocalEmbedder:
    """One local model behind the common interface; a text takes 2 to 8 ms; many are shared out to all processors."""

    name: str
    width: int
    languages: tuple[str, ...]
    encode: Callable[[str], NDArray[np.float32]]
    provider: str = PROVIDER

    @classmethod
    def all(cls, directory: str | None) -> "list[LocalEmbedder]":
        """English has a model of its own; the multilingual one takes every language."""
        english, multilingual = BgeSmallEn(directory), UseMultilingualV3(directory)
        return [
            cls(english.name, english.width, ("en",), english.embed),
            cls(multilingual.name, multilingual.width, (), multilingual.embed),
        ]

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        share = -(-len(texts) // PROCESSORS)
        shares = [texts[start : start + share] for start in range(0, len(texts), share or 1)]
        vectors = await asyncio.gather(*(asyncio.to_thread(self._encode, some) for some in shares))
        return list(chain.from_iterable(vectors))

    def _encode(self, texts: Sequence[str]) -> list[list[float]]:
        return [self.encode(text).tolist() for text in texts]


_RULES = {
    "self-harm": r"\b(?:kill|hurt|harm) myself\b|\bsuicid|\bend my life\b|\bwant to die\b|\bself[- ]harm"
    r"|\bsuicidarme|\bquitarme la vida|\bmatarme\b|\bmich umbringen\b|\bselbstmord|\bme suicider\b|\bme tuer\b",
    "violence": r"\b(?:i(?:'ll| will| am going to)|we(?:'ll| will)) (?:kill|murder|shoot|stab|bomb) (?:you|him|her|them|everyone|your)\b"
    r"|\b(?:te|os|los) voy a matar\b|\bich (?:bringe?|werde) (?:dich|euch|sie) (?:um\b|umbringen)|\bje vais (?:te|vous|les) tuer\b",
    "weapons": r"\b(?:build|make) (?:a |an )?(?:bomb|explosive)s?\b|\bfabricar una bomba\b|\bbombe bauen\b|\bfabriquer une bombe\b",
    "sexual/minors": r"\bchild (?:porn|sex)\w*|\bporno(?:graf[ií]a)? infantil\b|\bkinderporno\w*|\bp[ée]dopornograph\w*",
    "harassment": r"\b(?:you|u) (?:are|r) (?:a |an )?(?:fucking |stupid )+(?:\w+)|\bfuck (?:you|off)\b|\bkill yourself\b"
    r"|\bhijo de puta\b|\bfick dich\b|\bnique ta m[eè]re\b|\bva te faire foutre\b",
}


class LocalModerator:
    """Flags what is plainly harmful in the languages served; made for precision, not for every wording."""

    rules: ClassVar[dict[str, re.Pattern[str]]] = {
        category: re.compile(pattern, re.IGNORECASE) for category, pattern in _RULES.items()
    }

    async def moderate(self, text: str) -> Verdict:
        categories = tuple(category for category, pattern in self.rules.items() if pattern.search(text))
        return Verdict(flagged=bool(categories), categories=categories, provider=PROVIDER)
