"""What beat has done, and how often. A task that waited longer than it `expires` (in seconds) is left to the next one."""

from typing import Any

from celery.schedules import crontab


def _task(name: str, schedule: Any, *, expires: float, queue: str = "default") -> dict[str, Any]:
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
