"""Settings of a Parley installation, by environment (see `.env.example`). They load without any environment set."""

from typing import Any

from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _

from . import logs
from . import settings_api as api
from .environment import BASE_DIR, DATABASE_GONE, DEBUG, HTTPS, LOCAL, ONE_MACHINE, REDIS_GONE, REDIS_URL, VAR_DIR, env
from .settings_celery import *  # noqa: F403
from .settings_safety import *  # noqa: F403

__all__ = ["DEBUG", "ONE_MACHINE", "REDIS_URL", "VAR_DIR"]

# -- where and how this installation runs -------------------------------------------------------------------
# Empty in production unless set: Django refuses to use an empty key.
SECRET_KEY = env.str("SECRET_KEY", default="local-development-only" if LOCAL else "")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if LOCAL else [])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SITE_NAME = env.str("SITE_NAME", default="Parley")
SUPPORT_EMAIL = env.str("SUPPORT_EMAIL", default="support@example.com")

INSTALLED_APPS = [
    "daphne",
    "chatbot",
    "analytics",
    "conversations",
    "faqs",
    "accounts",
    "rest",
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.sitemaps",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
    "allauth.socialaccount.providers.microsoft",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "channels",
    "corsheaders",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_prometheus",
    "django_structlog",
    "simple_history",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "chatbot.middleware.SecurityHeadersMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "accounts.middleware.second_factor",
    "django_structlog.middlewares.RequestMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
    # Only synchronous, and so is everything around it: with an asynchronous one inside, Django would change threads for each.
    "rest.middleware.RateLimitHeadersMiddleware",
]

ROOT_URLCONF = "chatbot.urls"
ASGI_APPLICATION = "chatbot.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "chatbot.context_processors.site",
            ],
            "builtins": ["chatbot.templatetags.markdown"],
        },
    },
]

# -- PostgreSQL and Redis ------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default="postgres://postgres@127.0.0.1:5432/parley")}
DATABASES["default"]["ENGINE"] = "chatbot.postgresql"
DATABASES["default"]["OPTIONS"] = DATABASES["default"].get("OPTIONS", {}) | {
    # Without the first an index scan of vectors with a selective filter starves of rows; the second finds a search's candidates in
    # one go; without the third the planner reads all vectors of a small knowledge base instead of the index. Django sets the
    # last too, but not on connections that it does not open.
    "options": "-c hnsw.iterative_scan=relaxed_order -c hnsw.ef_search=100 -c random_page_cost=1.1 -c TimeZone=UTC",
    # For the statements that ask for it (`rest.prepared`).
    "prepare_threshold": 5,
    **DATABASE_GONE,
    "pool": {"min_size": 0, "max_size": env.int("DATABASE_POOL_SIZE", default=20), "timeout": 10, "max_idle": 60},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "cache",
        # Whoever asks a cache that does not answer goes on without it.
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 1},
    }
}
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        # redis-py 8 would time out the layer's blocking reads after 5 s.
        "CONFIG": {
            "hosts": [{"address": REDIS_URL, "socket_timeout": None, "health_check_interval": 15, **REDIS_GONE}],
            "prefix": "layer",
        },
    }
}

# -- accounts ------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = "username"
ACCOUNT_EMAIL_VERIFICATION = env.str("ACCOUNT_EMAIL_VERIFICATION", default="optional" if LOCAL else "mandatory")
ACCOUNT_LOGIN_BY_CODE_ENABLED = False
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "/accounts/login/"
ACCOUNT_LOGOUT_REDIRECT_URL = "/"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 60
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# The page's script sends the token with every fetch.
CSRF_COOKIE_HTTPONLY = False
CSRF_FAILURE_VIEW = "chatbot.views.csrf_failure"
EMAIL_CONFIG = env.email("EMAIL_URL", default="consolemail://")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default=SUPPORT_EMAIL)

# -- security ------------------------------------------------------------------------------------------------
SECURE_SSL_REDIRECT = HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if env.bool("TRUST_PROXY_HEADERS", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- language, static files ----------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("es", _("Spanish")), ("de", _("German")), ("fr", _("French"))]
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# One machine serves straight from the source folders; an image has run collectstatic.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = LOCAL
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if LOCAL
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# -- the assistant -------------------------------------------------------------------------------------------
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="https://api.openai.com/v1")
OPENAI_CHAT_MODEL = env.str("OPENAI_CHAT_MODEL", default="gpt-4o-mini")
OPENAI_EMBEDDING_MODEL = env.str("OPENAI_EMBEDDING_MODEL", default="text-embedding-3-small")
OPENAI_EMBEDDING_WIDTH = env.int("OPENAI_EMBEDDING_WIDTH", default=1536)
OPENAI_MODERATION_MODEL = env.str("OPENAI_MODERATION_MODEL", default="omni-moderation-latest")
CHAT_PROVIDER = env.str("CHAT_PROVIDER", default="openai" if OPENAI_API_KEY else "local")
EMBEDDING_PROVIDER = env.str("EMBEDDING_PROVIDER", default=CHAT_PROVIDER)
MODERATION_PROVIDER = env.str("MODERATION_PROVIDER", default=CHAT_PROVIDER)
LOCAL_MODELS_DIR = env.str("LOCAL_MODELS_DIR", default="") or None
# Names that are noted when a visitor's message has them.
PRODUCT_NAMES = env.list("PRODUCT_NAMES", default=[])
# Pace of the local composer, in words a second, so that a long answer can be read as it appears.
LOCAL_WORDS_PER_SECOND = env.float("LOCAL_WORDS_PER_SECOND", default=60.0)

REPLY_DEADLINE_SECONDS = env.float("REPLY_DEADLINE_SECONDS", default=90.0)
REPLY_FIRST_TOKEN_SECONDS = env.float("REPLY_FIRST_TOKEN_SECONDS", default=20.0)
REPLY_STALL_SECONDS = env.float("REPLY_STALL_SECONDS", default=15.0)
REPLY_MAX_TOKENS = env.int("REPLY_MAX_TOKENS", default=800)
REPLY_HISTORY_MESSAGES = 10
REPLY_HISTORY_TOKENS = env.int("REPLY_HISTORY_TOKENS", default=2000)

# Workers try the links of published answers once a day.
LINK_CHECKS = env.bool("LINK_CHECKS", default=True)

# What the apps below the assistant may ask of it, by name.
RETRIEVAL_PREVIEW = "chatbot.retrieval.preview"
FAQ_SEARCH = "chatbot.search.search_faqs"
PUBLISH_PROGRESS = "chatbot.gate.progress_of"
RETRIEVAL_LOOKUP = "chatbot.retrieval.lookup"
MARKDOWN_RENDERER = "chatbot.markdown.render"

# A file of FAQs (docs/knowledge.md).
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=10 * 1024 * 1024)
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", default=20_000)
# Whether help pages may be fetched from the network that this runs in.
INGEST_PRIVATE_ADDRESSES = env.bool("INGEST_PRIVATE_ADDRESSES", default=False)

CHAT_STARTERS = {
    "en": ["How long does delivery take?", "How do I return something?", "Which payment methods do you take?"],
    "es": ["¿Cuánto tarda la entrega?", "¿Cómo devuelvo un artículo?", "¿Qué formas de pago aceptan?"],
    "de": ["Wie lange dauert die Lieferung?", "Wie sende ich etwas zurück?", "Welche Zahlungsarten gibt es?"],
    "fr": [
        "Quel est le délai de livraison ?",
        "Comment retourner un article ?",
        "Quels moyens de paiement acceptez-vous ?",
    ],
}
SOCKET_FRAMES_PER_SECOND = env.float("SOCKET_FRAMES_PER_SECOND", default=50.0)
SOCKET_FRAMES_BURST = env.int("SOCKET_FRAMES_BURST", default=200)

# -- admin, logs, metrics ------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": SITE_NAME,
    "SITE_HEADER": SITE_NAME,
    "SITE_SYMBOL": "forum",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("img/favicon.svg")}],
    "SHOW_HISTORY": True,
    # The palette is in the style sheet; unfold would write it as an inline style into every page.
    "COLORS": lambda _request: {},
    "STYLES": [lambda _request: static("css/admin.css")],
    "SCRIPTS": [lambda _request: static("js/admin.js")],
}
PROMETHEUS_EXPORT_MIGRATIONS = False
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# -- the REST API ---------------------------------------------------------------------------------------------
REST_FRAMEWORK, SPECTACULAR_SETTINGS, SIMPLE_JWT = api.REST_FRAMEWORK, api.SPECTACULAR_SETTINGS, api.SIMPLE_JWT
JWT_ALGORITHM, JWT_PRIVATE_KEY_FILES = api.JWT_ALGORITHM, api.JWT_PRIVATE_KEY_FILES
# Shared secrets for HS256: the first signs, all verify.
JWT_SECRETS = env.list("JWT_SECRETS", default=[SECRET_KEY])
RATE_LIMITS_USER, RATE_LIMITS_ADDRESS, RATE_LIMITS_AUTH = (
    api.RATE_LIMITS_USER,
    api.RATE_LIMITS_ADDRESS,
    api.RATE_LIMITS_AUTH,
)
TRUSTED_PROXIES = ALLAUTH_TRUSTED_PROXY_COUNT = api.TRUSTED_PROXIES

LOGGING = logs.configure(
    json=env.str("LOG_FORMAT", default="console" if LOCAL else "json") == "json",
    level=env.str("LOG_LEVEL", default="INFO"),
)
