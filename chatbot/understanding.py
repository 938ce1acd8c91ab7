"""What a visitor's text is before anything is looked up: its language, small talk, the wish for a human."""

import math
import re
from functools import cache, lru_cache

from django.conf import settings
from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

# One word must be e^2 = 7 times likelier in another language than in the conversation's, two words e, ten hardly.
PRIOR = 2.0
TEXTS_KEPT = 500

_SMALL_TALK = {
    "greeting": r"hi|hii+|hello|hey|hey there|hello there|hi there|good (?:morning|afternoon|evening|day)|greetings"
    r"|hola|buenos d[ií]as|buenas(?: tardes| noches)?|hallo|guten (?:tag|morgen|abend)|moin|servus|gr[uü][sß]+ gott"
    r"|bonjour|bonsoir|salut|coucou",
    "thanks": r"thanks?(?: you)?(?: (?:so|very) much| a lot)?|thx|ty|cheers|perfect thanks?|great thanks?|ok(?:ay)? thanks?(?: you)?"
    r"|(?:muchas )?gracias|danke(?: sch[oö]n| sehr)?|vielen dank|merci(?: beaucoup| bien)?",
    "goodbye": r"bye|bye bye|goodbye|good ?night|see you(?: later)?|that'?s all|adi[oó]s|hasta luego|tsch[uü][sß]+|auf wiedersehen"
    r"|ciao|au revoir|[aà] bient[oô]t",
}
_OCCASIONS = {
    name: re.compile(rf"(?:{pattern})[\s!.,?…]*(?:[\U0001F300-\U0001FAFF\u2600-\u27BF]\s*)*", re.I)
    for name, pattern in _SMALL_TALK.items()
}

_PERSON = (
    r"human(?: being)?|(?:real|actual|live) (?:person|human|agent|people)|person|people|agent|representative|operator|somebody|colleague|supervisor|manager|staff|employee"
    r"|someone (?:real|else|from (?:the|your) team|who can help)|customer (?:service|support)|support (?:staff|team)|advis[oe]r|member of (?:the |your )?(?:staff|team)"
    r"|persona(?: real| de verdad)?|humano|agente|operador|alguien|compañero|supervisor|mensch(?:en)?|mitarbeiter(?:in)?|kolleg(?:e|en|in)|ansprechpartner(?:in)?"
    r"|jemand(?:en)? vom team|echte[nr]? (?:person|mensch(?:en)?)|humain|(?:vraie )?personne|conseill[eè]re?|coll[eè]gue|responsable|quelqu'un"
)
_ASK = (
    r"(?:speak|talk|chat|deal)(?: (?:to|with))|connect me (?:to|with)|(?:transfer|pass|hand|forward) me (?:on |over )?to|put me through to|i (?:want|need|would like|prefer|demand)|get me|give me|can i have"
    r"|escalate (?:this |it )?to|live chat with|hablar con|p[aá]s(?:e|a)me con|quiero|necesito|prefiero que me atienda|(?:mit )|ich (?:will|m[oö]chte|brauche)|sprechen|verbinden sie mich mit|weiterleiten an"
    r"|parler (?:[aà]|avec)|je (?:veux|voudrais|souhaite)|passez-moi|transf[eé]rez-moi [aà]"
)
_HUMAN = re.compile(
    rf"(?:\b(?:{_ASK})\s+(?:to |with |parler [aà] |hablar con |mit |de )?(?:an? |the |your |some |any |one of your |tu |su |un[ae]? |una |ein(?:e[mnr]?)? |der |einem |einen |ihren |votre )?(?:{_PERSON})\b(?! (?:discount|account|number|rabatt)))"
    rf"|^\s*(?:a |an |un |una |ein(?:en)? )?(?:real )?(?:human|agent|representative|person|operator|supervisor|humano|agente|operador|mensch|mitarbeiter|humain|conseiller)(?: please| por favor| bitte| s'il vous pla[iî]t| now)?[\s!.?]*$"
    r"|\bnot (?:a |an |to a )?(?:bot|robot|machine|ai)\b|\b(?:person|human) not (?:an? )?(?:ai|bot|robot|machine)\b|\brather\b[^.!?\n]{0,60}?\b(?:person|human)\b[^.!?\n]{0,60}?\bthan\b"
    r"|\b(?:real|actual) (?:people|humans?|person) (?:there|here)\b|\bechte menschen\b|\balguien real\b|\bquelqu'un de r[eé]el\b",
    re.I,
)


@cache
def _detector() -> LanguageDetector:
    languages = [
        Language.from_iso_code_639_1(getattr(IsoCode639_1, code.upper())) for code, _name in settings.LANGUAGES
    ]
    return LanguageDetectorBuilder.from_languages(*languages).build()


@lru_cache(TEXTS_KEPT)
def _confidences(text: str) -> dict[str, float]:
    found = _detector().compute_language_confidence_values(text)
    return {one.language.iso_code_639_1.name.lower(): one.value for one in found}


def language_of(text: str, prior: str) -> str:
    """The text's language among the configured ones.

    `prior` is the language that the conversation is in: the fewer words there are, the more it counts.
    """
    odds = math.exp(PRIOR / max(len(text.split()), 1))
    scores = _confidences(text)
    if not any(scores.values()):
        return prior
    return max(scores, key=lambda code: scores[code] * (odds if code == prior else 1))


def small_talk(text: str) -> str | None:
    """ "greeting", "thanks" or "goodbye" when the text is nothing else."""
    return next((name for name, pattern in _OCCASIONS.items() if pattern.fullmatch(text.strip())), None)


def wants_human(text: str) -> bool:
    return _HUMAN.search(text) is not None
