from django.urls import path

from . import api_views, auth_views
from .privacy import api_views as privacy

urlpatterns = [
    path("auth/register", auth_views.RegisterView.as_view()),
    path("auth/login", auth_views.LoginView.as_view()),
    path("auth/mfa", auth_views.ChallengeView.as_view()),
    path("auth/refresh", auth_views.RefreshView.as_view()),
    path("auth/logout", auth_views.LogoutView.as_view()),
    path("auth/password/reset", auth_views.PasswordResetView.as_view()),
    path("auth/password/reset/confirm", auth_views.PasswordResetConfirmView.as_view()),
    path("auth/password/change", auth_views.PasswordChangeView.as_view()),
    path("auth/email/verify", auth_views.VerifyEmailView.as_view()),
    path("auth/email/resend", auth_views.ResendVerificationView.as_view()),
    path("me", api_views.MeView.as_view()),
    path("me/consents", privacy.ConsentsView.as_view()),
    path("me/export", privacy.ExportView.as_view()),
    path("me/export/<uuid:export_id>", privacy.ArchiveView.as_view()),
    path("me/erasure", privacy.ErasureView.as_view()),
    path("me/sessions", api_views.SessionsView.as_view()),
    path("me/sessions/<uuid:session_id>", api_views.SessionView.as_view()),
]
