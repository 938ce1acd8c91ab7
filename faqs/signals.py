"""`faq_changed` (faq_id) is sent after commit when what visitors may find of a FAQ changed."""

from django.dispatch import Signal

faq_changed = Signal()
