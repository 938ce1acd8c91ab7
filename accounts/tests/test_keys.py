"""What tokens hold, and how the keys that sign them are changed without logging anybody out."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from django.test import Client

from accounts import keys, sign_ins
from accounts.models import User


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada@example.com", "correct horse battery")


def pair(user: User) -> sign_ins.Pair:
    return sign_ins.begin(user=user, user_agent="test", address="127.0.0.1")


def pem(directory: Path, name: str, key: Any) -> str:
    path = directory / name
    private = serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))
    return str(path)


def test_the_claims(user: User) -> None:
    made = pair(user)
    claims = jwt.decode(made.access, options={"verify_signature": False})
    assert {name: claims[name] for name in ("sub", "email", "role", "type")} == {
        "sub": str(user.pk),
        "email": "ada@example.com",
        "role": "user",
        "type": "access",
    }
    assert claims["exp"] - claims["iat"] == made.expires_in == 600


def test_a_new_secret_signs_while_the_old_one_still_verifies(user: User, settings: Any, client: Client) -> None:
    settings.JWT_SECRETS = ["old"]
    old = pair(user)
    settings.JWT_SECRETS = ["new", "old"]
    assert sign_ins.of_access_token(old.access).user == user
    renewed = sign_ins.refresh(token=old.refresh)
    settings.JWT_SECRETS = ["new"]
    assert sign_ins.of_access_token(renewed.access).user == user
    with pytest.raises(sign_ins.BadToken):
        sign_ins.of_access_token(old.access)
    assert client.get("/.well-known/jwks.json").status_code == 404


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_key_pairs_sign_and_others_verify_by_the_published_keys(
    user: User, settings: Any, client: Client, tmp_path: Path, algorithm: str
) -> None:
    def make() -> Any:
        return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)

    files = [pem(tmp_path, name, make()) for name in ("new.pem", "old.pem")]
    settings.JWT_ALGORITHM, settings.JWT_PRIVATE_KEY_FILES = algorithm, files[1:]
    old = pair(user)
    settings.JWT_PRIVATE_KEY_FILES = files
    assert sign_ins.of_access_token(old.access).user == user
    published = client.get("/.well-known/jwks.json").json()
    assert len(published["keys"]) == 2
    assert not any({"d", "p", "q"} & set(key) for key in published["keys"])
    token = pair(user).access
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(one for one in jwt.PyJWKSet.from_dict(published).keys if one.key_id == kid)
    assert jwt.decode(token, key.key, algorithms=[algorithm])["sub"] == str(user.pk)


def test_a_token_of_another_algorithm_or_key_is_refused(user: User) -> None:
    kid = next(iter(keys.ring()))
    claims = {"sub": str(user.pk), "type": "access", "jti": "1", "exp": 2**33}
    for forged in (
        jwt.encode(claims, "", algorithm="none", headers={"kid": kid}),
        jwt.encode(claims, "x" * 64, algorithm="HS512", headers={"kid": kid}),
        jwt.encode(claims, "x" * 32, algorithm="HS256"),
        jwt.encode(claims, keys.ring()[kid].signing, algorithm="HS256", headers={"kid": kid}),
        "nonsense",
    ):
        with pytest.raises(sign_ins.BadToken):
            sign_ins.of_access_token(forged)


@pytest.mark.parametrize(("algorithm", "files"), [("HS1", []), ("EdDSA", [])])
def test_keys_that_cannot_sign_are_refused(settings: Any, algorithm: str, files: list[str]) -> None:
    settings.JWT_ALGORITHM, settings.JWT_PRIVATE_KEY_FILES = algorithm, files
    with pytest.raises(ValueError, match="JWT_"):
        keys.ring()
