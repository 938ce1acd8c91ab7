"""What a visitor's text is before anything is looked up: its language, small talk, the wish for a human, a follow-up."""

import re
from functools import cache

from django.conf import settings
from lingua import IsoCode639_1, Language, LanguageDetector, LanguageDetectorBuilder

# Under this lead over the second language a text says nothing about its language ("ok", "paypal?").
SURE = 0.25
SHORT_WORDS = 6

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
    r"human|(?:real|actual|live) (?:person|human|agent)|person|agent|representative|someone (?:real|from (?:the|your) team)|customer service|advisor"
    r"|persona(?: real)?|humano|agente|operador|alguien|mensch(?:en)?|mitarbeiter(?:in)?|jemand(?:en)? vom team|echte[nr]? person"
    r"|humain|personne|conseill[eè]re?|quelqu'un"
)
_ASK = (
    r"(?:speak|talk|chat)(?: (?:to|with))|connect me (?:to|with)|transfer me to|put me through to|i (?:want|need|would like|prefer)|get me|give me|can i have"
    r"|hablar con|p[aá]same con|quiero|necesito|(?:mit )|ich (?:will|m[oö]chte|brauche)|sprechen|verbinden sie mich mit"
    r"|parler (?:[aà]|avec)|je (?:veux|voudrais|souhaite)|passez-moi"
)
_HUMAN = re.compile(
    rf"(?:\b(?:{_ASK})\s+(?:to |with |parler [aà] |hablar con |mit )?(?:an? |the |your |some |un[ae]? |una |ein(?:e[mnr]?)? |der |einem )?(?:{_PERSON})\b)"
    rf"|^\s*(?:a |an |un |una |ein(?:en)? )?(?:real )?(?:human|agent|representative|person|humano|agente|mensch|mitarbeiter|humain|conseiller)(?: please| por favor| bitte| s'il vous pla[iî]t)?[\s!.?]*$"
    r"|\bnot a (?:bot|robot|machine)\b",
    re.I,
)


@cache
def _detector() -> LanguageDetector:
    languages = [
        Language.from_iso_code_639_1(getattr(IsoCode639_1, code.upper())) for code, _name in settings.LANGUAGES
    ]
    return LanguageDetectorBuilder.from_languages(*languages).build()


def language_of(text: str, profile: str) -> str:
    """The text's language among the configured ones; the profile's language when the text does not tell."""
    values = _detector().compute_language_confidence_values(text)
    if len(values) < 2 or values[0].value - values[1].value < SURE:
        return profile
    return values[0].language.iso_code_639_1.name.lower()


def small_talk(text: str) -> str | None:
    """ "greeting", "thanks" or "goodbye" when the text is nothing else."""
    return next((name for name, pattern in _OCCASIONS.items() if pattern.fullmatch(text.strip())), None)


def wants_human(text: str) -> bool:
    return _HUMAN.search(text) is not None


def standalone(question: str, previous: str | None) -> str | None:
    """A short follow-up ("and to Spain?") read together with the question before it; None when it stands alone."""
    if previous is None or len(question.split()) > SHORT_WORDS:
        return None
    return f"{previous} {question}"
