"""`manage.py verify_certificate FILE`: whether a certificate of erasure is from this installation and unchanged."""

from pathlib import Path
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.privacy import certificate


class Command(BaseCommand):
    help = "Check the signature of a certificate of erasure."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            content = orjson.loads(options["file"].read_bytes())
            document, signature = content["certificate"], content["signature"]
        except OSError as error:
            raise CommandError(f"The file cannot be read: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError):
            raise CommandError("The file is not a certificate: JSON with `certificate` and `signature`.") from None
        try:
            certificate.verify(document, signature)
        except certificate.Invalid as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"Genuine: erasure {document['id']} was completed at {document['completed_at']}.")
