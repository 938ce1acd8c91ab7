"""The Celery application: queue `replies` for answers, `default` for everything else."""

import os
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.events import EventDispatcher
from celery.signals import setup_logging
from kombu import Queue
from kombu.transport import redis
from redis.exceptions import ConnectionError as BrokerAway

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatbot.settings")


class Channel(redis.Channel):
    """kombu's channel where a broker that comes and goes, and many small tasks, ask for more than it does."""

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put back what was fetched and not begun. Without a broker the sweeps find it; kombu would write it into a file."""
        with suppress(*self.connection_errors):  # type: ignore[attr-defined]
            super()._restore(message, leftmost)  # type: ignore[call-arg]

    def _create_client(self, asynchronous: bool = False) -> Any:
        """One for all that is published; kombu makes one for each message, which takes longer than to send it."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[misc]
        kept = self.__dict__.get("kept_client")
        if kept is None or kept.connection_pool is not self.pool:  # type: ignore[attr-defined]
            kept = self.kept_client = super()._create_client()  # type: ignore[misc]
        return kept

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        """A channel can be closed when the broker is away: kombu 5.7 ends the worker with an AttributeError instead."""
        if self.connection.client is None:
            # Of the kind that kombu passes over while it closes.
            raise BrokerAway("The transport is closed.")
        parameters: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[misc]
        return parameters


class Dispatcher(EventDispatcher):
    """Celery's, for whom telling that a worker is here does not wait: without a broker it would for ever, asked to end or not."""

    def send(self, type: str, *args: Any, **fields: Any) -> Any:
        """What could not be told is kept; the worker notices in its own loop that the broker is away, or that it is to end."""
        return super().send(type, *args, **fields | {"retry": False})


redis.Transport.Channel = Channel
app = Celery("parley")
app.events.dispatcher_cls = "chatbot.celery:Dispatcher"
app.config_from_object("django.conf:settings", namespace="CELERY")
# Unnamed exchange: a message goes straight to the queue of its routing key, with no binding in Redis that a flush could lose.
app.conf.task_queues = [Queue(name, exchange="", routing_key=name) for name in ("default", "replies")]
app.conf.update(task_default_queue="default", task_default_routing_key="default", task_default_exchange="")
# The sweep shares the quick queue: a long embedding job must not delay a recovery.
app.conf.task_routes = {f"chatbot.tasks.{name}": {"queue": "replies"} for name in ("run_reply", "sweep_replies")}
app.autodiscover_tasks(["chatbot", "faqs"])


@setup_logging.connect
def use_django_logging(**kwargs: Any) -> None:
    """Keep Celery from configuring the loggers: settings.LOGGING is the only place that does."""
    from logging.config import dictConfig

    from django.conf import settings

    dictConfig(settings.LOGGING)
