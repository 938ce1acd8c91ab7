from django.contrib import admin
from django.contrib.sitemaps import views as sitemaps
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularJSONAPIView

from accounts.admin_site import guard
from accounts.api_views import public_keys
from faqs import views as help_pages
from faqs.help.sitemap import SITEMAPS

from . import health, views

guard(admin.site)

urlpatterns = [
    path("", views.new_chat, name="new_chat"),
    path("chat/guest", views.guest, name="guest"),
    path("chat/list", views.conversation_list, name="chat_list"),
    path("chat/search", views.search, name="chat_search"),
    path("chat/archived", views.archived, name="archived_chats"),
    path("chat/<uuid:conversation_id>", views.chat, name="chat"),
    path("chat/<uuid:conversation_id>/earlier", views.earlier, name="earlier"),
    path("chat/<uuid:conversation_id>/rename", views.rename, name="rename_chat"),
    path("chat/<uuid:conversation_id>/archive", views.set_archived, {"value": True}, name="archive_chat"),
    path("chat/<uuid:conversation_id>/unarchive", views.set_archived, {"value": False}, name="unarchive_chat"),
    path("chat/<uuid:conversation_id>/delete", views.delete, name="delete_chat"),
    path("help/", include("faqs.urls")),
    path("robots.txt", help_pages.robots, name="robots"),
    path("sitemap.xml", sitemaps.index, {"sitemaps": SITEMAPS, "sitemap_url_name": "sitemap"}, name="sitemaps"),
    path("sitemap-<section>.xml", sitemaps.sitemap, {"sitemaps": SITEMAPS}, name="sitemap"),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("chatbot.api_urls")),
    path("v1/", include("chatbot.openai_urls")),
    path(".well-known/jwks.json", public_keys),
    path("api/schema", SpectacularJSONAPIView.as_view(), name="api_schema"),
    path("api/docs", TemplateView.as_view(template_name="api/docs.html"), name="api_docs"),
    path("admin/", admin.site.urls),
    path("health", health.live, name="health"),
    path("health/ready", health.ready, name="health_ready"),
    path("metrics", health.metrics, name="metrics"),
]

handler400 = "rest.errors.bad_request"
handler404 = "rest.errors.page_not_found"
handler500 = "rest.errors.server_error"
