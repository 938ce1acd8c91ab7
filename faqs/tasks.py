"""An editor's jobs in a worker. Every task may run twice or late: the job's row decides what is left to do."""

from typing import Any

from celery import Task, shared_task

from . import jobs
from .exchange import services as exchange
from .exchange.models import Import
from .ingest import services as ingest
from .ingest.models import Ingest
from .jobs import Job


@shared_task
def run_import(job_id: int) -> None:
    jobs.run(Import, job_id, exchange.work)


@shared_task
def run_ingest(job_id: int) -> None:
    jobs.run(Ingest, job_id, ingest.work)


TASKS: dict[type[Job], "Task[Any, Any]"] = {Import: run_import, Ingest: run_ingest}


@shared_task
def sweep_jobs() -> None:
    exchange.forget_old()
    for model in TASKS:
        for job_id in jobs.overlooked(model):
            jobs.submit(model._default_manager.only("pk").get(pk=job_id))
