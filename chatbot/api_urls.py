"""Everything under /api/v1/; no address ends in a slash."""

from django.urls import URLPattern, URLResolver, include, path

from . import api_views

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("accounts.api_urls")),
    path("", include("conversations.api_urls")),
    path("", include("faqs.api_urls")),
    path("", include("analytics.api_urls")),
    path("chat/send", api_views.SendView.as_view()),
    path("chat/stop", api_views.StopView.as_view()),
]
