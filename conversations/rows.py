"""Rows on the hot path: read and written whole by statements that the server keeps planned, whatever their number."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import orjson
from django.db import connection
from django.db.models import JSONField, Model

M = TypeVar("M", bound=Model)
Row = Sequence[Any]


def names(model: type[Model]) -> str:
    """The columns of what `read` takes, in order."""
    return ", ".join(field.attname for field in model._meta.concrete_fields)


def selecting(model: type[Model], rest: str) -> str:
    """A statement whose rows `read` takes."""
    return f"SELECT {names(model)} FROM {model._meta.db_table} {rest}"  # noqa: S608


def inserting(model: type[Model], rest: str = "") -> str:
    """A statement that stores what `dump` gives."""
    table, columns = model._meta.db_table, names(model)
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s) {rest}"  # noqa: S608


def updating(model: type[Model], changed: Iterable[str], rest: str = "") -> str:
    """A statement that stores these columns of JSON rows, which have the `id` with them."""
    table, changes = model._meta.db_table, ", ".join(f"{name} = new.{name}" for name in changed)
    source = f"json_populate_recordset(NULL::{table}, %s) new"
    return f"UPDATE {table} old SET {changes} FROM {source} WHERE old.id = new.id {rest}"  # noqa: S608


def read(model: type[M], row: Row) -> M:
    fields = model._meta.concrete_fields
    values = [
        loaded(value) if isinstance(field, JSONField) else value for field, value in zip(fields, row, strict=True)
    ]
    return model.from_db(connection.alias, [field.attname for field in fields], values)


def loaded(value: str | None) -> Any:
    """Of a column of JSON: Django has the driver leave it a text."""
    return None if value is None else json.loads(value)


def dump(objects: Iterable[dict[str, Any]]) -> str:
    """The one parameter of statements that store rows."""
    return orjson.dumps(list(objects)).decode()


def added(one: Model) -> dict[str, Any]:
    """The whole row of an object that is about to be stored."""
    one._state.adding, one._state.db = False, connection.alias
    return {field.attname: field.pre_save(one, add=True) for field in one._meta.concrete_fields}
