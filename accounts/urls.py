from django.urls import path

from . import views

urlpatterns = [
    path("", views.overview, name="account"),
    path("privacy/", views.privacy, name="privacy"),
    path("privacy/consent", views.decide, name="privacy_consent"),
    path("privacy/export", views.ask_export, name="privacy_export"),
    path("privacy/export/<uuid:export_id>", views.download, name="privacy_download"),
    path("privacy/erase", views.erase, name="privacy_erase"),
    path("privacy/keep", views.keep, name="privacy_keep"),
]
