"""What the knowledge base holds about a person: their votes. What curators did stays, without their name (SET_NULL)."""

from accounts.privacy.holdings import Holding

from .models import Vote

HOLDINGS = [
    Holding(
        Vote,
        "Votes on help pages",
        # The FAQ's counts stay: they name nobody.
        lambda person: Vote.objects.filter(user=person),
        ("faq_id", "helpful", "created_at", "updated_at"),
    ),
]
