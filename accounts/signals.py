"""`guest_claimed` (guest, user) is sent in the transaction that hands a guest's belongings to an account."""

from django.dispatch import Signal

guest_claimed = Signal()
