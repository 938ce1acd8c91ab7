"""`guest_claimed` (guest, user) is sent in the transaction that hands a guest's belongings to an account.

`export_requested` (export_id) is sent after commit: a copy of somebody's data waits for a worker.
`sign_in_ended` (user_id) is sent after commit: something that a person was signed in with may count no more.
"""

from django.dispatch import Signal

guest_claimed = Signal()
export_requested = Signal()
sign_in_ended = Signal()
