from django.apps import AppConfig


class ChatbotConfig(AppConfig):
    """The assistant: it reacts to what the other apps announce."""

    name = "chatbot"

    def ready(self) -> None:
        from accounts.signals import export_requested, sign_in_ended
        from conversations import signals
        from faqs.signals import faq_changed, faqs_changed, job_waiting, publish_requested

        from . import events

        signals.log_changed.connect(events.on_log_changed, dispatch_uid="broadcast-log")
        signals.conversation_changed.connect(events.on_conversation_changed, dispatch_uid="broadcast-conversation")
        signals.reply_queued.connect(events.on_reply_queued, dispatch_uid="dispatch-reply")
        signals.message_posted.connect(events.on_message_posted, dispatch_uid="dispatch-moderation")
        signals.stop_requested.connect(events.on_stop_requested, dispatch_uid="forward-stop")
        sign_in_ended.connect(events.on_sign_in_ended, dispatch_uid="close-sockets")
        export_requested.connect(events.on_export_requested, dispatch_uid="dispatch-export")
        faq_changed.connect(events.on_faq_changed, dispatch_uid="dispatch-embedding")
        faqs_changed.connect(events.on_faqs_changed, dispatch_uid="dispatch-embeddings")
        job_waiting.connect(events.on_job_waiting, dispatch_uid="dispatch-job")
        publish_requested.connect(events.on_publish_requested, dispatch_uid="dispatch-publishing")
