"""What each app holds about a person, as its module `personal_data` declares it.

`HOLDINGS` lists the rows of models, `STORES` what lies outside the database, `RETENTIONS` what is deleted by age.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet

from ..models import User

Rows = Callable[[User], "QuerySet[Any]"]


@dataclass(frozen=True)
class Holding:
    """The rows of one model that are about a person.

    `fields` are copied into an export; `erase` removes the rows or takes the person out of them, and gives their number.
    Without it the rows are deleted.
    """

    model: type[Model]
    title: str
    rows: Rows
    fields: tuple[str, ...]
    erase: Callable[[User], int] | None = None

    @property
    def name(self) -> str:
        return self.model._meta.label_lower

    def remove(self, person: User) -> int:
        if self.erase is not None:
            return self.erase(person)
        count = self.rows(person).count()
        self.rows(person).delete()
        return count


@dataclass(frozen=True)
class Store:
    """Something outside the database. `find` names before the erasure what belongs to a person; `erase` removes it afterwards."""

    name: str
    find: Callable[[User], list[str]]
    erase: Callable[[list[str]], int]


@dataclass(frozen=True)
class Retention:
    """A class of data with the number of days after which it goes, and how; None keeps it."""

    name: str
    days: Callable[[], int | None]
    expire: Callable[[datetime], int]


@cache
def _modules() -> tuple[ModuleType, ...]:
    """Each app's `personal_data`, in the order of INSTALLED_APPS: those on top of the import graph come first."""
    names = (f"{config.name}.personal_data" for config in apps.get_app_configs())
    return tuple(import_module(name) for name in names if find_spec(name))


def _declared(what: str) -> Iterator[Any]:
    for module in _modules():
        yield from getattr(module, what, ())


def holdings() -> list[Holding]:
    return list(_declared("HOLDINGS"))


def stores() -> list[Store]:
    return list(_declared("STORES"))


def retentions() -> list[Retention]:
    return list(_declared("RETENTIONS"))
