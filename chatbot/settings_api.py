"""Settings of the REST API: its framework, its tokens, its limits and its OpenAPI document."""

from datetime import timedelta

from .environment import env

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.authentication.TokenAuthentication",
        "accounts.authentication.VisitorAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["rest.throttles.Throttle"],
    "DEFAULT_PAGINATION_CLASS": "rest.pages.Pages",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "rest.schema.Schema",
    "EXCEPTION_HANDLER": "rest.errors.handle",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "ORDERING_PARAM": "ordering",
    "URL_FORMAT_OVERRIDE": None,
}

# -- tokens --------------------------------------------------------------------------------------------------
JWT_ALGORITHM = env.str("JWT_ALGORITHM", default="HS256")
# PEM files of private keys, for EdDSA and RS256: the first signs, all verify.
JWT_PRIVATE_KEY_FILES = env.list("JWT_PRIVATE_KEY_FILES", default=[])
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(seconds=env.int("JWT_ACCESS_SECONDS", default=600)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.int("JWT_REFRESH_DAYS", default=30)),
    "USER_ID_CLAIM": "sub",
    "TOKEN_TYPE_CLAIM": "type",
}

# -- limits --------------------------------------------------------------------------------------------------
_RATES = "60/minute;1000/hour;10000/day"
RATE_LIMITS_USER = env.str("RATE_LIMITS_USER", default=_RATES)
RATE_LIMITS_ADDRESS = env.str("RATE_LIMITS_ADDRESS", default=_RATES)
RATE_LIMITS_AUTH = env.str("RATE_LIMITS_AUTH", default="10/minute;50/hour")
# How many proxies in front of Parley add to X-Forwarded-For.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# -- OpenAPI document ----------------------------------------------------------------------------------------
SPECTACULAR_SETTINGS = {
    "TITLE": "Parley API",
    "DESCRIPTION": "Ask the assistant, read conversations, look after the FAQs. See docs/api.md for a walk through it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "SORT_OPERATIONS": False,
    "PREPROCESSING_HOOKS": [],
}
