"""An import is a job: it may be killed, fail, be overlooked, and is forgotten in the end."""

import os
import signal
import subprocess
import sys
from typing import Any

import pytest
from django.db import connection
from pytest_django import DjangoCaptureOnCommitCallbacks

from accounts.models import User
from faqs import jobs, tasks
from faqs.exchange import files, services
from faqs.exchange.models import Import
from faqs.jobs import JobFailed
from faqs.models import FAQ, Category

from .importing import HEADER, checked, counts, imported

KILLED = """
import os, signal, django
django.setup()
from faqs import jobs, tasks
from faqs.exchange import services
noted = services.jobs.note_progress
def note(job, done):
    print("progress", done, flush=True)
    if done >= 400:
        os.kill(os.getpid(), signal.SIGKILL)
services.jobs.note_progress = note
tasks.run_import({job})
"""


@pytest.mark.django_db(transaction=True)
def test_a_killed_import_leaves_nothing_and_runs_again_from_its_start() -> None:
    Category.objects.create(name="Delivery", slug="delivery")
    user = User.objects.create_superuser("admin@example.com", "correct horse battery")
    rows = "".join(f"Q {n}?,A,delivery,published,P {n},50\n" for n in range(600))
    job = checked(user, HEADER + rows)
    assert services.confirm(job=job, user=user, overwrite=[])
    test_database = os.environ["DATABASE_URL"].rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(job=job.pk)],
        env=os.environ | {"DATABASE_URL": test_database, "DJANGO_SETTINGS_MODULE": "chatbot.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "progress 400" in killed.stdout
    assert not FAQ.objects.exists()
    job.refresh_from_db()
    assert (job.status, job.attempts) == ("running", 1)
    Import.objects.update(waiting_since=job.created_at - jobs.OVERLOOKED)
    assert jobs.overlooked(Import) == [job.pk]
    tasks.run_import(job.pk)
    assert (FAQ.objects.count(), counts(job)) == (600, (600, 0, 0, 0, 0, 0))


def test_a_job_that_always_kills_its_worker_ends(admin: User) -> None:
    job = services.upload(user=admin, name="a.csv", content=b"question\n", create_categories=False)
    Import.objects.update(attempts=jobs.MAX_ATTEMPTS)
    tasks.run_import(job.pk)
    job.refresh_from_db()
    assert (job.status, "stopped" in job.problem) == ("failed", True)
    tasks.run_import(job.pk)


def test_a_fault_of_ours_is_told_without_its_trace(admin: User) -> None:
    def broken(job: Import) -> None:
        raise ZeroDivisionError

    job = services.upload(user=admin, name="a.csv", content=b"question\n", create_categories=False)
    jobs.run(Import, job.pk, broken)
    job.refresh_from_db()
    assert (job.status, "our side" in job.problem) == ("failed", True)


def test_overlooked_jobs_are_dispatched_again(
    admin: User, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr("chatbot.events.dispatch", lambda task, *args: sent.extend(args))
    with django_capture_on_commit_callbacks(execute=True):
        job = services.upload(user=admin, name="a.csv", content=b"question\n", create_categories=False)
    assert sent == [job.pk]
    Import.objects.update(waiting_since=job.created_at - 2 * jobs.OVERLOOKED)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_jobs()
    assert sent == [job.pk, job.pk]


def test_old_imports_are_forgotten(admin: User) -> None:
    job = imported(admin, HEADER + "A?,One,delivery,draft,,50\n")
    assert bytes(job.content) == b""
    tasks.sweep_jobs()
    assert Import.objects.exists()
    Import.objects.update(created_at=job.created_at - services.KEPT)
    tasks.sweep_jobs()
    assert not Import.objects.exists()
    assert FAQ.objects.exists()


def test_jobs_do_without_redis(admin: User, settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    job = checked(admin, HEADER + "A?,One,delivery,draft,,50\n")
    jobs.note_progress(job, 5)
    assert jobs.progress(job) is None
    with pytest.raises(JobFailed):
        list(files.read(b"\xff", "csv"))
