"""`manage.py rotate_keys`: encrypts everything anew with the first of DATA_KEYS; `--new` prints a key."""

import base64
import secrets
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import rotation, vault


class Command(BaseCommand):
    help = "Encrypt everything with the first key of DATA_KEYS; afterwards the older keys may be taken out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new", action="store_true", help="print a new key for DATA_KEYS and do nothing else")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"]:
            key = base64.b64encode(secrets.token_bytes(vault.KEY_BYTES)).decode()
            self.stdout.write(f"{timezone.now():%Y%m%d}:{key}")
            return
        try:
            counts = rotation.rotate()
        except vault.CannotDecrypt as error:
            raise CommandError(f"{error} Add the missing key to DATA_KEYS and start again.") from None
        for column, count in counts.items():
            self.stdout.write(f"{column}: {count} encrypted anew")
        self.stdout.write(f"Everything is under the key {vault.key_id()!r}.")
