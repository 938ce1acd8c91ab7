"""Follow-ups read with what was asked before ("and to Spain?"), and messages that ask several things taken apart."""

import re
from collections.abc import Sequence

from . import understanding

SHORT_WORDS = 6
PARTS_MOST = 4
# In a text that falls into more pieces the rest is left in one.
PIECES_MOST = 40
_CUE = re.compile(
    r"^\W*(?:and(?: what about| how about)?|what about|how about|what if|or|but|also|y(?: qu[eé] tal)?|¿?y si|o|pero"
    r"|und(?: was ist mit| wie ist es mit)?|was ist mit|wie ist es mit|oder|aber|et(?: pour| si)?|ou|mais|qu'en est-il d[eu])\b[\s,]*",
    re.I,
)
_PREPOSITION = re.compile(
    r"^(to|for|from|in|with|by|on|without|within|a|para|desde|en|con|por|nach|f[uü]r|aus|mit|bei|per|[aà]|au|aux|pour|depuis|avec|par|vers)\b",
    re.I,
)
_ASKING = (
    r"how|what|when|where|which|who|why|can|could|may|do|does|did|is|are|will|would|should|am|must"
    r"|qu[eé]|c[oó]mo|cu[aá]ndo|d[oó]nde|cu[aá]l(?:es)?|cu[aá]nto|puedo|pueden|hay|tienen"
    r"|wie|was|wann|wo|welche[rsn]?|wer|warum|kann|k[oö]nnen|gibt|darf|muss|ist|sind"
    r"|comment|que|quoi|quand|o[uù]|quel(?:le)?s?|qui|pourquoi|combien|puis-je|peut-on|est-ce|y a-t-il"
)
_QUESTION = re.compile(rf"^\W*+(?:(?:and|also|y|und|et|then|so)\W+)?(?:{_ASKING})\b", re.I)
# Of many spaces only the first is a place to begin at: a visitor may send thousands.
_BORDER = re.compile(
    r"(?<=[?？])\s+"
    r"|(?:[,;]|(?<!\s)(?!\n+\S))\s+(?:and(?: also)?|also|y tambi[eé]n|y|und(?: auch)?|et(?: aussi)?)\s+"
    rf"(?=(?:{_ASKING})\b)|\n+",
    re.I,
)


def readings(question: str, asked_before: Sequence[str]) -> list[str]:
    """How a question may be meant, the likelier first: as it stands, or as a follow-up to what the visitor asked before."""
    previous = _subject(asked_before)
    if previous is None:
        return [question]
    cue = _CUE.match(question)
    if len(question.split()) > SHORT_WORDS + bool(cue):
        return [question]
    together = _together(question[cue.end() :] if cue else question, previous)
    return [together, question] if cue else [question, together]


def _subject(asked: Sequence[str]) -> str | None:
    """What the conversation is about by now: each follow-up read with those before it."""
    subject: str | None = None
    for text in asked:
        if understanding.small_talk(text):
            continue
        cue = _CUE.match(text) if subject else None
        subject = _together(text[cue.end() :], subject) if cue and subject else text
    return subject


def _together(rest: str, previous: str) -> str:
    """ "to Spain?" takes the place of "to France" in the question before; what has no such place is put behind it."""
    if preposition := _PREPOSITION.match(rest):
        word = re.escape(preposition[1])
        places = list(
            re.finditer(
                rf"\b{word}\s+[^?.!,;]*?(?=\s(?:in|for|from|with|by|on|within|en|con|mit|avec)\s|[?.!,;]|$)",
                previous,
                re.I,
            )
        )
        if places:
            last = places[-1]
            return previous[: last.start()] + rest.rstrip(" ?!.") + previous[last.end() :]
    return f"{previous} {rest}"


def is_question(text: str) -> bool:
    """By its first word or its last sign."""
    return _QUESTION.match(text) is not None or text.rstrip().endswith("?")


def parts(text: str) -> list[str]:
    """The questions that a message asks, in order; one that asks a single thing stays whole."""
    pieces = [piece.strip(" ,;") for piece in _BORDER.split(text, PIECES_MOST) if piece and piece.strip(" ,;")]
    found: list[str] = []
    for piece in pieces:
        whole = len(piece.split()) > 2 and is_question(piece)
        if found and not (whole and is_question(found[-1])):
            found[-1] = f"{found[-1]} {piece}"
        else:
            found.append(piece)
    return found if 1 < len(found) <= PARTS_MOST else [text]
