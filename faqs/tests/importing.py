"""Files that are imported, in process."""

from typing import Any

from accounts.models import User
from faqs import tasks
from faqs.exchange import selectors as shown
from faqs.exchange import services
from faqs.exchange.models import Import
from faqs.models import FAQ, Phrasing

HEADER = "question,answer,category,status,phrasings,priority\n"


def checked(user: User, content: str | bytes, name: str = "faqs.csv", **options: Any) -> Import:
    data = content.encode() if isinstance(content, str) else content
    job = services.upload(user=user, name=name, content=data, **({"create_categories": False} | options))
    tasks.run_import(job.pk)
    job.refresh_from_db()
    return job


def imported(user: User, content: str | bytes, name: str = "faqs.csv", **options: Any) -> Import:
    return confirmed(user, checked(user, content, name, **options))


def confirmed(user: User, job: Import, *overwrite: int) -> Import:
    assert services.confirm(job=job, user=user, overwrite=overwrite)
    tasks.run_import(job.pk)
    job.refresh_from_db()
    return job


def counts(job: Import) -> tuple[int, ...]:
    found = shown.summary(job)
    return (found.created, found.updated, found.unchanged, found.conflicts, found.kept, found.errors)


def exported(format: str = "csv") -> bytes:
    return services.export(FAQ.objects.select_related("category").order_by("pk"), format)


def state() -> list[Any]:
    faqs = FAQ.objects.order_by("pk").values_list("pk", "question", "answer", "status", "updated_at", "keywords")
    return [*faqs, *Phrasing.objects.order_by("pk").values_list("pk", "text")]
