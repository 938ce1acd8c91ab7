"""Where our accounts differ from allauth's: letters have an HTML side, and only configured services are offered."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from allauth.socialaccount.models import SocialApp
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.http import Http404, HttpRequest
from django.template.loader import render_to_string


def html_of(subject: str, text: str) -> str:
    """A letter's text as a page of ours."""
    context = {"subject": subject, "text": text, "site_name": settings.SITE_NAME, "support": settings.SUPPORT_EMAIL}
    return render_to_string("account/email/message.html", context)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    def format_email_subject(self, subject: str) -> str:
        return f"{settings.SITE_NAME}: {subject}"

    def render_mail(
        self,
        template_prefix: str,
        email: str | list[str],
        context: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> EmailMessage:
        names = {"site_name": settings.SITE_NAME}
        message: EmailMessage = super().render_mail(template_prefix, email, context | names, headers)
        if isinstance(message, EmailMultiAlternatives) and not message.alternatives:
            message.attach_alternative(html_of(str(message.subject), str(message.body)), "text/html")
        return message


class SocialAccountAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """Those of the settings: a table of secrets is not used, so that pages need not ask it."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def get_app(self, request: HttpRequest, provider: str, client_id: str | None = None) -> SocialApp:
        try:
            return super().get_app(request, provider, client_id)
        except SocialApp.DoesNotExist:
            raise Http404 from None
