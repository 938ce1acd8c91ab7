"""Sent after commit; nothing here knows who listens.

`message_posted` (messages): these visitors' messages were stored for the first time.
`reply_queued` (reply, asked): a reply waits for a worker; `asked` is what it answers, if that was said just now, else "".
`stop_requested` (reply_id): somebody wants the running reply to end.
`log_changed` (user_id, messages): these messages are new or took a new `seq`.
`conversation_changed` (conversation, deleted): its title, owner or place in the list changed.
"""

from django.dispatch import Signal

message_posted = Signal()
reply_queued = Signal()
stop_requested = Signal()
log_changed = Signal()
conversation_changed = Signal()
