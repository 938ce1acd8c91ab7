"""Everything under /api/v1/; no address ends in a slash."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("accounts.api_urls")),
]
