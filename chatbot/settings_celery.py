"""Settings of Celery: its broker, and what beat has done how often."""

from typing import Any

from celery.schedules import crontab

from .environment import REDIS_GONE, REDIS_URL, env

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default=REDIS_URL)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_CREATE_MISSING_QUEUES = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_TRANSPORT_OPTIONS = (
    # The sweeps find what a worker took along when it died: what was fetched is not written to Redis, and deleted there, for each task.
    {
        "ack_emulation": False,
        "socket_connect_timeout": 5,
        "socket_timeout": 2,
        "health_check_interval": 10,
        **REDIS_GONE,
    }
    if CELERY_BROKER_URL.startswith(("redis", "valkey"))
    else {}
)
CELERY_BROKER_POOL_ACQUIRE_TIMEOUT = 2
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"


def _task(name: str, schedule: Any, *, expires: float, queue: str = "default") -> dict[str, Any]:
    """A task that waited longer than it `expires` (in seconds) is left to the next one."""
    return {"task": name, "schedule": schedule, "options": {"queue": queue, "expires": expires}}


CELERY_BEAT_SCHEDULE = {
    "sweep-replies": _task("chatbot.tasks.sweep_replies", 3.0, expires=10, queue="replies"),
    "sweep-publishing": _task("chatbot.tasks.sweep_publishing", 5.0, expires=10),
    "sweep-jobs": _task("faqs.tasks.sweep_jobs", 20.0, expires=40),
    "sweep-moderation": _task("chatbot.tasks.sweep_moderation", 30.0, expires=60),
    "sweep-embeddings": _task("chatbot.tasks.sweep_embeddings", 60.0, expires=120),
    "sweep-analysis": _task("chatbot.tasks.sweep_analysis", 60.0, expires=60),
    "sweep-privacy": _task("chatbot.tasks.sweep_privacy", 300.0, expires=600),
    "sweep-gaps": _task("chatbot.tasks.sweep_gaps", 600.0, expires=600),
    "sweep-links": _task("chatbot.tasks.sweep_links", 600.0, expires=600),
    "count-words": _task("chatbot.tasks.count_words", crontab(minute=7), expires=3000),
    # By the clock: counted from the start, a day would never pass where beat is restarted daily.
    "apply-retention": _task("chatbot.tasks.apply_retention", crontab(hour=3, minute=17), expires=12 * 3600),
}
