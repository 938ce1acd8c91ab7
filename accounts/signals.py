"""`guest_claimed` (guest, user) is sent in the transaction that hands a guest's belongings to an account.

`export_requested` (export_id) is sent after commit: a copy of somebody's data waits for a worker.
"""

from django.dispatch import Signal

guest_claimed = Signal()
export_requested = Signal()
