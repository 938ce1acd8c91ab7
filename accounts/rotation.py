"""Moves everything that is encrypted to the first key of the ring; it may be repeated and interrupted."""

from collections.abc import Iterator
from typing import Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models, transaction
from django.db.models.functions import Substr

from . import vault
from .fields import Encrypted
from .mfa import SECRETS, open_secret, seal_secret


def encrypted_fields() -> Iterator[Encrypted]:
    for model in apps.get_models():
        for field in model._meta.local_fields:
            if isinstance(field, Encrypted):
                yield field


def rotate() -> dict[str, int]:
    """How many values were encrypted anew, by column."""
    counts = {field.context: _rotate_column(field) for field in encrypted_fields()}
    return counts | {"mfa.authenticator.data": _rotate_authenticators()}


def _rotate_column(field: Encrypted) -> int:
    """Looks at the beginning of each value only: files are large."""
    plain = models.BinaryField() if isinstance(field, models.BinaryField) else models.TextField()
    beginning = Substr(field.attname, 1, 80, output_field=plain)
    rows = field.model._base_manager.annotate(beginning=beginning).values_list("pk", "beginning")
    return sum(_rotate_row(field, pk) for pk, start in rows.iterator() if start and not vault.is_current(start))


@transaction.atomic
def _rotate_row(field: Encrypted, pk: Any) -> int:
    row = field.model._base_manager.select_for_update().filter(pk=pk).first()
    if row is None:
        return 0
    return field.model._base_manager.filter(pk=pk).update(**{field.attname: getattr(row, field.attname)})


def _rotate_authenticators() -> int:
    keys = Authenticator.objects.exclude(type=Authenticator.Type.WEBAUTHN).values_list("pk", flat=True)
    return sum(_rotate_authenticator(pk) for pk in keys)


@transaction.atomic
def _rotate_authenticator(pk: int) -> int:
    row = Authenticator.objects.select_for_update().filter(pk=pk).first()
    old = [name for name in SECRETS if row and row.data.get(name) and not vault.is_current(row.data[name])]
    if row is None or not old:
        return 0
    for name in old:
        row.data[name] = seal_secret(open_secret(row.data[name]))
    row.save(update_fields=["data"])
    return 1
