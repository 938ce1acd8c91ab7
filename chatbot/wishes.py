"""The wish for a human by its meaning, in words that no pattern knows."""

from collections.abc import Sequence

import numpy as np

from .providers.base import Embedder
from .ranking import Floats

WISHES = [
    "I want to talk to a human.",
    "Please connect me with a real person.",
    "Can I speak to someone from customer service?",
    "Stop the automatic answers, I need a person to help me.",
    "Is there anybody real I can chat with?",
    "I don't want to talk to a machine.",
    "Please have a colleague call me back.",
    "Can a member of your team take over this conversation?",
    "This bot is useless, where are the real people?",
    "Quiero hablar con una persona.",
    "¿Puede atenderme alguien de su equipo?",
    "No quiero hablar con una máquina.",
    "Ich möchte mit einem Menschen sprechen.",
    "Kann mir jemand aus Ihrem Team helfen?",
    "Ich will nicht mit einer Maschine reden.",
    "Je veux parler à une personne.",
    "Quelqu'un de votre équipe peut-il m'aider ?",
    "Je ne veux pas parler à une machine.",
]
# From here on a text is such a wish if no FAQ is nearer to it: docs/evaluation.md.
NEAR_ENOUGH = {"bge-small-en-v1.5-mean": 0.68, "use-multilingual-v3": 0.5}
OTHERS = 0.6

_vectors: dict[tuple[str, str], Floats] = {}


async def is_wish_for_human(embedder: Embedder, vector: Sequence[float], nearest_faq: float) -> bool:
    """Raises ProviderError when the examples cannot be embedded the first time."""
    key = (embedder.provider, embedder.name)
    if key not in _vectors:
        _vectors[key] = np.array(await embedder.embed(WISHES), dtype=np.float32)
    near = float((_vectors[key] @ np.asarray(vector, dtype=np.float32)).max())
    return near >= max(NEAR_ENOUGH.get(embedder.name, OTHERS), nearest_faq)
