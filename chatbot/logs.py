"""Structured logs: JSON lines in production, readable lines beside a terminal; never with what people wrote."""

import re
from typing import Any

import structlog

_EMAIL = re.compile(r"[^\s@<>\"'=,;\\]{1,64}@[^\s@<>\"'=,;\\]+\.\w+")
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")
_QUERY = re.compile(r"\?\S*")
# What PostgreSQL refused: the values of a row, a piece of a text.
_REFUSED = re.compile(r"(DETAIL|CONTEXT):.*")
# Addresses whose last part is a secret that was sent by e-mail.
_KEY_IN_PATH = re.compile(r"(/(?:confirm-email|reset/key)/)[^/\s]+")


def _pseudonym(found: re.Match[str]) -> str:
    # The settings are being read when this module is.
    from accounts import vault

    return vault.pseudonym(found[0].lower())


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return _REFUSED.sub(r"\1: *", _EMAIL.sub("*@*", _KEY_IN_PATH.sub(r"\1*", value)))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def minimise(logger: Any, name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what tells how Parley works, not who did what: no e-mail address, browser, query or key from a letter."""
    event.pop("user_agent", None)
    if isinstance(event.get("request"), str):
        event["request"] = _UUID.sub(_pseudonym, _QUERY.sub("", event["request"]))
    if isinstance(event.get("user_id"), str):
        event["user_id"] = _UUID.sub(_pseudonym, event["user_id"])
    return {key: _plain(value) for key, value in event.items()}


def minimise_text(logger: Any, name: str, text: Any) -> str:
    return str(_plain(text))


_SHARED: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]
_CONSOLE: list[structlog.typing.Processor] = [
    minimise,
    structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    minimise_text,
]
_JSON: list[structlog.typing.Processor] = [
    # Without the frames' local variables: they hold what people wrote.
    structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
    minimise,
    structlog.processors.JSONRenderer(),
]


def configure(*, json: bool, level: str) -> dict[str, Any]:
    """Set structlog up and return the LOGGING setting that sends everything through it."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    renderer = _JSON if json else _CONSOLE
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
        "root": {"handlers": ["console"], "level": level},
        "loggers": {
            # django-structlog writes one line per request; the servers' own access lines would repeat it.
            "django.channels.server": {"level": "WARNING"},
            "daphne": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
        },
    }
