"""Where the settings come from, and the few facts about this installation on which many of them depend."""

import socket
from math import isfinite
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
BOOLEANS = (*environ.Env.BOOLEAN_TRUE_STRINGS, "false", "off", "n", "no", "0")
KINDS = {bool: "true or false", int: "a whole number", float: "a number such as 0.5"}


class Env(environ.Env):  # type: ignore[misc]
    """An empty variable counts as not set, and what is not of its kind is refused by name."""

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        value = self.ENVIRON.get(var, "").strip()
        if not value and default is not self.NOTSET:
            return default
        try:
            return super().get_value(var, cast, default, parse_default)
        except ValueError:
            raise ImproperlyConfigured(
                f"{var} is {value!r}: set it to {KINDS[cast]}. In `.env`, a comment needs a line of its own."
            ) from None

    @classmethod
    def parse_value(cls, value: str, cast: Any) -> Any:
        """Raises ValueError where environ makes something of everything: false of `yse`, 9060.0 of `90 # was 60`."""
        if cast is bool and value.strip().lower() not in BOOLEANS:
            raise ValueError(value)
        if cast is float:
            number = float(value)
            if not isfinite(number):
                raise ValueError(value)
            return number
        return super().parse_value(value, cast)


env = Env()
environ.Env.read_env(BASE_DIR / ".env", overwrite=False)

DEBUG = env.bool("DEBUG", default=False)
ONE_MACHINE = env.bool("PARLEY_RUN", default=False)
LOCAL = DEBUG or ONE_MACHINE
HTTPS = env.bool("PARLEY_HTTPS", default=not LOCAL)
VAR_DIR = Path(env.str("PARLEY_VAR", default=str(BASE_DIR / "var")))
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
# A server whose host is gone without a word is noticed within seconds, of what was sent and of what is waited for; TCP alone would take
# a quarter of an hour for the one, and two hours for the other.
GONE_MS = 10_000
_OPTIONS = {
    socket.TCP_USER_TIMEOUT: GONE_MS,
    socket.TCP_KEEPIDLE: 10,
    socket.TCP_KEEPINTVL: 5,
    socket.TCP_KEEPCNT: 2,
}
REDIS_GONE: dict[str, Any] = {"socket_keepalive": True, "socket_keepalive_options": _OPTIONS}
if REDIS_URL.startswith("unix"):
    REDIS_GONE = {}
DATABASE_GONE = {"tcp_user_timeout": GONE_MS, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2}
