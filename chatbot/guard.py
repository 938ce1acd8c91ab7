"""Before a direct answer: does the question differ from the FAQ's in a way that vectors hardly see, a "not" or a number?"""

import re

# A question for yes or no about what one may, can or must do; "why can't I log in" and "it did not arrive" are none.
_MODAL = re.compile(
    r"^\W*(?:(?:so|and|but|then|also|or|y|und|et|o|oder|ou)\W+)?"
    r"(?:can|could|may|must|do|does|did|is|are|will|would|should|am|has|have"
    r"|puedo|puede|podemos|se puede|tengo que|debo|hay|es|est[aá]"
    r"|kann|k[oö]nnen|darf|muss|m[uü]ssen|ist|sind|gibt|habe"
    r"|puis-je|peut-on|peux-tu|pouvez-vous|dois-je|est-ce|est-il|avez-vous|je peux|on peut)(?:n['’]?t)?\b",
    re.I,
)
_NOT = re.compile(
    r"\b(?:not|cannot|never|without|no longer|no|nunca|sin|nicht|kein\w*|nie|ohne|pas|jamais|sans)\b|n['’]t\b", re.I
)
_NUMBER = re.compile(r"(?<![\w#])(\d+(?:[.,]\d+)*)\s*([^\W\d_]+|%|€|\$|£)?")


def conflict(question: str, faq_question: str) -> str | None:
    """ "negation" when one asks whether something is so and the other whether it is not; "number" when both speak of the same
    thing in different numbers ("14 days", "30 days")."""
    if _MODAL.match(question) and _MODAL.match(faq_question) and _negated(question) != _negated(faq_question):
        return "negation"
    ours, theirs = _numbers(question), _numbers(faq_question)
    if any(ours[unit] != theirs[unit] for unit in ours.keys() & theirs.keys()):
        return "number"
    return None


def _negated(text: str) -> bool:
    return _NOT.search(text) is not None


def _numbers(text: str) -> dict[str, set[str]]:
    """The numbers of a text by what they count; singular and plural are one."""
    found: dict[str, set[str]] = {}
    for number, unit in _NUMBER.findall(text.lower()):
        found.setdefault(unit.rstrip("s") if len(unit) > 2 else unit, set()).add(number)
    return found
