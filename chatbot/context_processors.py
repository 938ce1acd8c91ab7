from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.services import visitor


def site(request: HttpRequest) -> dict[str, Any]:
    """What every page shows: the site's name, the team's address, and who is asking."""
    return {
        "site_name": settings.SITE_NAME,
        "support_email": settings.SUPPORT_EMAIL,
        "privacy_url": settings.PRIVACY_URL,
        "visitor": visitor(request) if hasattr(request, "session") else None,
    }
