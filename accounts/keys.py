"""The keys that sign tokens: the first signs, all of them verify, so that a new key logs nobody out."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from django.conf import settings
from jwt.algorithms import Algorithm, get_default_algorithms
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError, TokenBackendExpiredToken

SYMMETRIC = "HS256"
ALGORITHMS = (SYMMETRIC, "EdDSA", "RS256")


@dataclass(frozen=True)
class Key:
    """A key with the `kid` under which tokens name it."""

    kid: str
    signing: Any
    verifying: Any
    public: dict[str, Any] | None


def _shared(secret: str) -> Key:
    # Not the secret that Django signs with, even when it is made of the same text.
    derived = hashlib.sha256(b"parley.jwt:" + secret.encode()).digest()
    return Key(hashlib.sha256(b"kid:" + derived).hexdigest()[:16], derived, derived, None)


def _pair(algorithm: str, path: str) -> Key:
    private: PrivateKeyTypes = load_pem_private_key(Path(path).read_bytes(), password=None)
    public = private.public_key()
    encoder: Algorithm = get_default_algorithms()[algorithm]
    document = json.loads(encoder.to_jwk(public))
    kid = hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]
    described = document | {"kid": kid, "use": "sig", "alg": algorithm}
    described.pop("key_ops", None)
    return Key(kid, private, public, described)


@cache
def _ring(algorithm: str, secrets: Sequence[str], files: Sequence[str]) -> dict[str, Key]:
    if algorithm not in ALGORITHMS:
        raise ValueError(f"JWT_ALGORITHM must be one of {', '.join(ALGORITHMS)}.")
    keys = [_shared(one) for one in secrets] if algorithm == SYMMETRIC else [_pair(algorithm, one) for one in files]
    if not keys:
        raise ValueError(f"{algorithm} needs at least one file in JWT_PRIVATE_KEY_FILES.")
    return {key.kid: key for key in keys}


def ring() -> dict[str, Key]:
    """The configured keys by `kid`; the first one signs."""
    return _ring(settings.JWT_ALGORITHM, tuple(settings.JWT_SECRETS), tuple(settings.JWT_PRIVATE_KEY_FILES))


def public_keys() -> list[dict[str, Any]]:
    """The JSON Web Key Set; empty while tokens are signed with a shared secret."""
    return [key.public for key in ring().values() if key.public is not None]


class KeyRing(TokenBackend):
    """simplejwt's backend over more than one key."""

    def __init__(self) -> None:
        super().__init__(settings.JWT_ALGORITHM, "")

    def encode(self, payload: dict[str, Any]) -> str:
        kid, key = next(iter(ring().items()))
        return jwt.encode(payload, key.signing, algorithm=self.algorithm, headers={"kid": kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:
        try:
            key = ring().get(str(jwt.get_unverified_header(token).get("kid")))
            if key is None:
                raise TokenBackendError("The token was signed with a key that is not known here.")
            return dict(jwt.decode(token, key.verifying, algorithms=[self.algorithm]))
        except jwt.ExpiredSignatureError as error:
            raise TokenBackendExpiredToken("The token has expired.") from error
        except jwt.InvalidTokenError as error:
            raise TokenBackendError("The token is not valid.") from error
