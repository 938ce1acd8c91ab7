"""The proof of an erasure: a small JSON document, signed with Ed25519, that anybody can check with the public key in it."""

import base64
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .. import vault
from .models import Erasure


class Invalid(Exception):
    """The certificate is not one of ours, or was changed."""


def _key(key_id: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(vault.purpose_key("certificates", key_id))


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()


def _text(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def signer() -> dict[str, str]:
    """Who signs now: goes into the certificate."""
    return {"algorithm": "Ed25519", "key_id": vault.key_id(), "public_key": _public(_key(vault.key_id()))}


def sign(document: dict[str, Any]) -> str:
    return base64.b64encode(_key(document["key_id"]).sign(_text(document))).decode()


def verify(document: dict[str, Any], signature: str) -> None:
    """Raises Invalid."""
    try:
        key = _key(str(document["key_id"]))
        key.public_key().verify(base64.b64decode(signature), _text(document))
    except (KeyError, vault.CannotDecrypt):
        raise Invalid("It was signed with a key that this installation does not have.") from None
    except (InvalidSignature, ValueError):
        raise Invalid("The signature does not fit: the certificate was changed or is not from here.") from None
    if document["public_key"] != _public(key):
        raise Invalid("The public key in it is not the one that signed it.")


def file_of(erasure: Erasure) -> str:
    """The certificate as a file to keep."""
    document = {"certificate": erasure.certificate, "signature": erasure.signature}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode()
