"""Settings that keep people and their data safe; `settings` takes them all over."""

from typing import Any

from .environment import HTTPS, LOCAL, env

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

# -- encryption at rest --------------------------------------------------------------------------------------
# `name:` and 32 bytes in base64; the first encrypts, all decrypt. Empty: made from SECRET_KEY and its fallbacks.
DATA_KEYS = env.list("DATA_KEYS", default=[])
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])

# -- privacy -------------------------------------------------------------------------------------------------
# The texts that people consent to; a new version asks them again.
CONSENT_VERSIONS = {
    "privacy": env.str("PRIVACY_VERSION", default="1"),
    "processing": env.str("PROCESSING_VERSION", default="1"),
    "marketing": env.str("MARKETING_VERSION", default="1"),
}
PRIVACY_URL = env.str("PRIVACY_URL", default="")
ERASURE_GRACE_DAYS = env.int("ERASURE_GRACE_DAYS", default=14)
EXPORT_DAYS = env.int("EXPORT_DAYS", default=7)
RETENTION_GUEST_DAYS = env.int("RETENTION_GUEST_DAYS", default=90)
# 0 keeps the conversations of accounts until they are deleted.
RETENTION_CONVERSATION_DAYS = env.int("RETENTION_CONVERSATION_DAYS", default=0) or None

# -- logs ----------------------------------------------------------------------------------------------------
# A pseudonym instead of the id, and no network address.
DJANGO_STRUCTLOG_USER_ID_FIELD = "log_id"
DJANGO_STRUCTLOG_IP_LOGGING_ENABLED = False

# -- sign-in -------------------------------------------------------------------------------------------------
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
# A letter about every change of what opens the account.
ACCOUNT_EMAIL_NOTIFICATIONS = True
MFA_ADAPTER = "accounts.mfa.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not HTTPS
# Who shares an address before it is confirmed could lock its owner out with a second factor.
MFA_ALLOW_UNVERIFIED_EMAIL = False
MFA_TOTP_TOLERANCE = 1
STAFF_MFA_REQUIRED = env.bool("STAFF_MFA_REQUIRED", default=not LOCAL)

# -- sign-in by other services: each is offered when its keys are there ------------------------------------------
SOCIALACCOUNT_ADAPTER = "accounts.adapter.SocialAccountAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_ONLY = False


def _service(prefix: str, **values: Any) -> dict[str, Any]:
    """One service's settings for allauth; without keys it has no app, and is not offered."""
    client_id = env.str(f"{prefix}_CLIENT_ID", default="")
    secret = env.str(f"{prefix}_CLIENT_SECRET", default="")
    app = {"client_id": client_id, "secret": secret} | values
    return {"APPS": [app] if client_id else [], "OAUTH_PKCE_ENABLED": True}


OIDC_ISSUER = env.str("OIDC_ISSUER", default="")
SOCIALACCOUNT_PROVIDERS = {
    "google": _service("GOOGLE") | {"SCOPE": ["openid", "email", "profile"]},
    "github": _service("GITHUB") | {"SCOPE": ["user:email"]},
    "microsoft": _service("MICROSOFT", settings={"tenant": env.str("MICROSOFT_TENANT", default="organizations")}),
    "openid_connect": _service(
        "OIDC",
        provider_id="oidc",
        name=env.str("OIDC_NAME", default="Single sign-on"),
        settings={"server_url": OIDC_ISSUER, "oauth_pkce_enabled": True},
    ),
}
_ORIGINS = {
    "google": "https://accounts.google.com",
    "github": "https://github.com",
    "microsoft": "https://login.microsoftonline.com",
    "openid_connect": "/".join(OIDC_ISSUER.split("/")[:3]),
}
# Where the form that begins such a sign-in may lead.
FORM_ORIGINS = [_ORIGINS[name] for name, service in SOCIALACCOUNT_PROVIDERS.items() if service["APPS"]]
