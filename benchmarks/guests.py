"""`python -m benchmarks.guests 1000`: make guests with sessions for the system of DATABASE_URL; prints user id and cookie, one a line."""

import os
import secrets
import sys
from datetime import timedelta


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone

    from accounts.models import User
    from accounts.services import GUEST_KEY

    guests = [User.new_guest(language="en") for _ in range(int(sys.argv[1]))]
    User.objects.bulk_create(guests)
    tomorrow, store = timezone.now() + timedelta(days=1), SessionStore()
    sessions = [
        Session(
            session_key=secrets.token_hex(16),
            session_data=store.encode({GUEST_KEY: str(guest.pk)}),
            expire_date=tomorrow,
        )
        for guest in guests
    ]
    Session.objects.bulk_create(sessions)
    for guest, session in zip(guests, sessions, strict=True):
        print(guest.pk, f"{settings.SESSION_COOKIE_NAME}={session.session_key}")


if __name__ == "__main__":
    main()
