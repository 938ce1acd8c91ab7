"""How the stand-in server answers: its pace and its faults."""

import dataclasses
import re
import shlex
from dataclasses import dataclass
from typing import Any

DIRECTIVE = re.compile(r"\[\[fake:(.*?)\]\]", re.DOTALL)
FAULTS = ("status", "refuse", "cut", "stall", "invalid", "error", "empty", "body")


@dataclass(frozen=True)
class Behaviour:
    """How a request is answered. A fault's number is of tokens sent before it; -1 means none."""

    tokens: int = 60
    interval: float = 0.01  # seconds between two tokens
    first: float = 0.05  # seconds to the first token
    text: str = ""  # the exact text to answer; empty: an echo and numbered words
    stamp: bool = False  # each token's text is the moment it was sent, in ns of the machine's monotonic clock
    endpoint: str = ""  # faults only here: chat, embeddings, moderations or models
    times: int = 0  # faults only for the first requests with the same faults; 0: for all
    status: int = 0
    retry_after: str = "0"
    refuse: bool = False  # close the connection without an answer
    body: str = ""  # answer 200 with this text, whatever was asked
    cut: int = -1  # drop the connection
    stall: int = -1  # send nothing more, keep the connection
    invalid: int = -1  # send broken JSON
    error: int = -1  # send an error object
    empty: bool = False  # finish without text
    usage: bool = True  # honour stream_options.include_usage
    done: bool = True  # end with [DONE]
    finish: bool = True  # tell a finish_reason
    linger: float = 0.0  # seconds that the connection stays open after the end
    comments: bool = False  # SSE comments and other fields between the events
    crlf: bool = False
    split: int = 0  # send at most so many bytes at once; 0: whole events

    def merged(self, options: dict[str, Any]) -> "Behaviour":
        """With these fields changed. Raises TypeError at an unknown name, ValueError at a wrong value."""
        kinds = {item.name: type(item.default) for item in dataclasses.fields(self)}
        changes = {name: _cast(kinds.get(name, str), value) for name, value in options.items()}
        return dataclasses.replace(self, **changes)

    def without_faults(self) -> "Behaviour":
        defaults = Behaviour()
        return dataclasses.replace(self, **{name: getattr(defaults, name) for name in FAULTS})

    def kind(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in (*FAULTS, "times", "endpoint"))


def _cast(kind: type, value: Any) -> Any:
    if kind is bool and isinstance(value, str):
        return value.lower() in {"1", "true", "yes"}
    return kind(value)


def directive(text: str) -> dict[str, Any]:
    """The options of the last `[[fake: ...]]` in a text; a bare name means true."""
    found = DIRECTIVE.findall(text)
    pairs = [word.partition("=") for word in shlex.split(found[-1])] if found else []
    return {name: value if equals else True for name, equals, value in pairs}
