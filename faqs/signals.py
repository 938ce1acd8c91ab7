"""Sent after commit: `faq_changed` (faq_id) when what visitors may find of a FAQ changed, `publish_requested` (run_id) when a
change waits for the publish gate."""

from django.dispatch import Signal

faq_changed = Signal()
publish_requested = Signal()
