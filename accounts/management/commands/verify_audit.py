"""`manage.py verify_audit`: whether the log of staff access is whole. `--head HASH` also compares its end with one noted earlier."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import AuditEntry
from accounts.privacy import audit


class Command(BaseCommand):
    help = "Check the audit log's chain from its first entry to its last."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", default="", help="a head that was printed earlier: it must still be in the log")

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = audit.verify()
        if verdict.problem:
            raise CommandError(
                f"The audit log is broken: {verdict.problem}. {verdict.entries} entries before it are whole."
            )
        head = options["head"]
        if head and not AuditEntry.objects.filter(hash=head).exists():
            raise CommandError("The audit log lacks the entry with this head: its end was cut off.")
        self.stdout.write(f"{verdict.entries} entries, all whole. Head: {verdict.head}")
