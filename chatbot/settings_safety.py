"""Settings that keep people and their data safe; `settings` takes them all over."""

from .environment import env

# -- browsers, other sites -----------------------------------------------------------------------------------
# Closed unless origins are named: a page of another site can read nothing.
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/(api|v1)/"
CORS_ALLOW_CREDENTIALS = False

# -- what a request may bring --------------------------------------------------------------------------------
# The whole request with its files, refused before Django reads it; and a form or a JSON body in memory.
REQUEST_MAX_BYTES = env.int("REQUEST_MAX_BYTES", default=10 * 1024 * 1024)
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("BODY_MAX_BYTES", default=1024 * 1024)
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
