"""Sent after commit; nothing here knows who listens.

`faq_changed` (faq_id): what visitors may find of a FAQ changed.
`faqs_changed` (faq_ids): the same of many FAQs at once, from one import.
`job_waiting` (sender is the job's model, job_id): a job waits for a worker.
`publish_requested` (run_id): a change waits for the publish gate.
"""

from django.dispatch import Signal

faq_changed = Signal()
faqs_changed = Signal()
job_waiting = Signal()
publish_requested = Signal()
