"""Encryption at rest: AES-256-GCM under a ring of keys, each text with the id of its key.

The first key of the ring encrypts, all of them decrypt; `manage.py rotate_keys` moves everything to the first one.
"""

import base64
import hashlib
import hmac
import secrets
from functools import cache
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

KEY_BYTES = 32
NONCE_BYTES = 12
PREFIX = b"v1:"


class CannotDecrypt(Exception):
    """The key is not in the ring, or the text was changed or moved."""


class Key(NamedTuple):
    id: str
    secret: bytes


def ring() -> tuple[Key, ...]:
    """The keys of DATA_KEYS; without it, keys made from SECRET_KEY and its fallbacks."""
    secret_keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return _ring(tuple(settings.DATA_KEYS), tuple(str(key) for key in secret_keys))


@cache
def _ring(configured: tuple[str, ...], secret_keys: tuple[str, ...]) -> tuple[Key, ...]:
    if configured:
        return tuple(_parse(entry) for entry in configured)
    made = (_derive(secret.encode(), "data key") for secret in secret_keys)
    return tuple(Key(hashlib.sha256(secret).hexdigest()[:8], secret) for secret in made)


def _parse(entry: str) -> Key:
    key_id, _, encoded = entry.partition(":")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except ValueError:
        secret = b""
    if not key_id or len(secret) != KEY_BYTES:
        raise ImproperlyConfigured(
            "Each of DATA_KEYS is `name:` and 32 random bytes in base64; `manage.py rotate_keys --new` prints one."
        )
    return Key(key_id, secret)


def _derive(secret: bytes, purpose: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"parley {purpose}".encode()).derive(secret)


@cache
def _purpose_key(key: Key, purpose: str) -> bytes:
    return _derive(key.secret, purpose)


def purpose_key(purpose: str, key_id: str | None = None) -> bytes:
    """A key of its own for one purpose, from the first key of the ring or the named one. Raises CannotDecrypt."""
    return _purpose_key(_find(key_id) if key_id is not None else ring()[0], purpose)


def _find(key_id: str) -> Key:
    for key in ring():
        if key.id == key_id:
            return key
    raise CannotDecrypt(f"The key {key_id!r} is not in the ring.")


def key_id() -> str:
    """The id of the key that encrypts now."""
    return ring()[0].id


def encrypt(data: bytes, context: str) -> bytes:
    """`context` says where the text belongs; elsewhere it cannot be decrypted."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(purpose_key("encryption")).encrypt(nonce, data, context.encode())
    return PREFIX + key_id().encode() + b":" + base64.urlsafe_b64encode(nonce + sealed)


def decrypt(token: bytes, context: str) -> bytes:
    """Raises CannotDecrypt."""
    version, _, rest = token.partition(b":")
    name, _, encoded = rest.partition(b":")
    if version + b":" != PREFIX:
        raise CannotDecrypt("This is not an encrypted text.")
    try:
        sealed = base64.urlsafe_b64decode(encoded)
        cipher = AESGCM(purpose_key("encryption", name.decode()))
        return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError):
        raise CannotDecrypt("The encrypted text was changed, or belongs elsewhere.") from None


def encrypt_text(text: str, context: str) -> str:
    return encrypt(text.encode(), context).decode()


def decrypt_text(token: str, context: str) -> str:
    """Raises CannotDecrypt."""
    return decrypt(token.encode(), context).decode()


def is_current(token: str | bytes) -> bool:
    """Whether a text is under the key that encrypts now."""
    data = token.encode() if isinstance(token, str) else bytes(token)
    return data.startswith(PREFIX + key_id().encode() + b":")


def pseudonym(person_id: UUID | str) -> str:
    """How logs and the audit log name a person: the same every time, and nobody's once the person's row is gone."""
    return _pseudonym(purpose_key("pseudonym"), person_id)


def pseudonyms(person_id: UUID | str) -> list[str]:
    """The person's names under every key of the ring."""
    return [_pseudonym(_purpose_key(key, "pseudonym"), person_id) for key in ring()]


def _pseudonym(key: bytes, person_id: UUID | str) -> str:
    return hmac.new(key, str(person_id).encode(), hashlib.sha256).hexdigest()[:24]
