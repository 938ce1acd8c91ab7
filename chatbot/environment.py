"""Where the settings come from, and the few facts about this installation on which many of them depend."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env", overwrite=False)

DEBUG = env.bool("DEBUG", default=False)
ONE_MACHINE = env.bool("PARLEY_RUN", default=False)
LOCAL = DEBUG or ONE_MACHINE
HTTPS = env.bool("PARLEY_HTTPS", default=not LOCAL)
VAR_DIR = Path(env.str("PARLEY_VAR", default=str(BASE_DIR / "var")))
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
