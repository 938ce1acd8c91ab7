"""The admin passes through the same sign-in as every page, and shows people only where it is written down."""

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite


def guard(site: AdminSite) -> None:
    """To be called once every app has registered its models."""
    # Its own form would know neither limits nor second factors.
    site.login = secure_admin_login(site.login)  # type: ignore[method-assign]
    for model, model_admin in list(site._registry.items()):
        # Sessions, addresses and second factors of people, without an audit.
        if type(model_admin).__module__.startswith("allauth."):
            site.unregister(model)
