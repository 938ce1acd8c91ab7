"""Model fields whose column holds cipher text; in Python they are plain."""

from typing import Any

from django.db import models

from . import vault


class Encrypted(models.Field):  # type: ignore[type-arg]
    """The column's name is part of what is authenticated: a value cannot be moved to another one."""

    @property
    def context(self) -> str:
        return f"{self.model._meta.label_lower}.{self.attname}"


class EncryptedTextField(Encrypted, models.TextField):  # type: ignore[type-arg]
    """A text. It cannot be searched; an empty one stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        return vault.encrypt_text(str(value), self.context) if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return vault.decrypt_text(value, self.context) if value else value


class EncryptedBinaryField(Encrypted, models.BinaryField):  # type: ignore[type-arg]
    """A file."""

    def get_prep_value(self, value: Any) -> Any:
        return vault.encrypt(bytes(value), self.context) if value else value

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> bytes | None:
        return vault.decrypt(bytes(value), self.context) if value else value
