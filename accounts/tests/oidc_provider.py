"""A small OpenID Connect provider on this machine: discovery, authorize, token (with PKCE), userinfo, JWKS; RS256."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "parley", "a-shared-secret"


class Provider:
    """`person` is who is signed in there; `claims` overrides what an id token says."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.person: dict[str, Any] = {"sub": "42", "email": "ada@example.com", "email_verified": True, "name": "Ada"}
        self.claims: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: set[str] = set()
        self.url = ""

    def discovery(self) -> dict[str, Any]:
        ends = ("authorization", "token", "userinfo")
        return {f"{end}_endpoint": f"{self.url}/{end}" for end in ends} | {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }

    def jwks(self) -> dict[str, Any]:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [jwk | {"kid": "1", "alg": "RS256", "use": "sig"}]}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes next, with a code that can be used once."""
        code = secrets.token_urlsafe()
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def exchange(self, form: dict[str, str]) -> dict[str, Any] | None:
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or form.get("client_secret") != CLIENT_SECRET or asked.get("code_challenge") != challenge:
            return None
        token, now = secrets.token_urlsafe(), int(time.time())
        self.tokens.add(token)
        claims = {"iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60} | self.person | self.claims
        id_token = jwt.encode(claims, self.key, "RS256", headers={"kid": "1"})
        return {"access_token": token, "token_type": "Bearer", "expires_in": 60, "id_token": id_token}

    @contextmanager
    def serving(self) -> Iterator["Provider"]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _flat(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text).items()}


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            match url.path:
                case "/.well-known/openid-configuration":
                    self.answer(provider.discovery())
                case "/jwks":
                    self.answer(provider.jwks())
                case "/authorization":
                    self.answer({}, 302, provider.authorize(_flat(url.query)))
                case "/userinfo" if self.headers.get("Authorization", "").removeprefix("Bearer ") in provider.tokens:
                    self.answer(provider.person)
                case _:
                    self.answer({"error": "not_found"}, 404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            found = provider.exchange(_flat(body))
            self.answer(found or {"error": "invalid_grant"}, 200 if found else 400)

        def answer(self, content: dict[str, Any], status: int = 200, location: str = "") -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
