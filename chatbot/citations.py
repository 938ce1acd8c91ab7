"""Citations `[n]` in a streamed text: only numbers of passages that were given come through."""

import re
from collections.abc import AsyncIterator

_GROUP = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")
# The start of what may become a citation: held back until it is decided.
_OPEN = re.compile(r"\[[\d,\s]{0,24}$")


class Citations:
    """Filters pieces of text and remembers which of `count` passages were cited, in order of first mention."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.cited: list[int] = []
        self._held = ""

    def _keep(self, match: re.Match[str]) -> str:
        numbers = [int(number) for number in match[1].split(",")]
        valid = [number for number in numbers if 1 <= number <= self.count]
        self.cited.extend(number for number in valid if number not in self.cited)
        return "".join(f"[{number}]" for number in valid)

    def feed(self, piece: str) -> str:
        """What of the text so far may be shown."""
        text = self._held + piece
        undecided = _OPEN.search(text)
        cut = undecided.start() if undecided else len(text)
        self._held = text[cut:]
        return _GROUP.sub(self._keep, text[:cut])

    def rest(self) -> str:
        text, self._held = self._held, ""
        return text

    async def filter(self, pieces: AsyncIterator[str]) -> AsyncIterator[str]:
        async for piece in pieces:
            if shown := self.feed(piece):
                yield shown
        if shown := self.rest():
            yield shown
