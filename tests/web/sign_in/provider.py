"""A small OpenID Connect provider on loopback, which can be told to lie."""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import threading
import time
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "switch hook", "hush: a secret/with % signs"


class Provider:
    """Signs everybody in as `claims` say. What a test sets in `lies` is said instead of the truth.

    `lies` may hold claims, `key` (sign with a stranger's), `alg`, and `token` (the answer itself).
    """

    def __init__(self, port: int) -> None:
        self.issuer = f"http://127.0.0.1:{port}"
        self.claims: dict[str, Any] = {
            "sub": "u-1",
            "email": "Asha@Example.com",
            "email_verified": True,
        }
        self.lies: dict[str, Any] = {}
        self.document: dict[str, Any] = {}
        self.token_answer: Response | None = None
        self.key = self.new_key("k1")
        self.asked: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}
        self.app = Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._keys),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    @staticmethod
    def new_key(kid: str) -> ECKey:
        return ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256", "use": "sig"})

    async def _discovery(self, request: Request) -> Response:
        self.asked.append("discovery")
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "authorization_response_iss_parameter_supported": True,
        }
        return JSONResponse(said | self.document)

    async def _keys(self, request: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet([self.key]).as_dict(private=False))

    async def _authorize(self, request: Request) -> Response:
        """As a browser is sent on by the provider, once its user has agreed."""
        said = dict(request.query_params)
        assert said["response_type"] == "code"
        assert said["client_id"] == CLIENT_ID
        assert said["code_challenge_method"] == "S256"
        assert len(said["state"]) >= 43
        code = f"code-{len(self._codes)}"
        self._codes[code] = said
        back = {"code": code, "state": said["state"], "iss": self.issuer}
        return RedirectResponse(f"{said['redirect_uri']}?{urlencode(back)}", 302)

    async def _token(self, request: Request) -> Response:
        self.asked.append("token")
        if self.token_answer is not None:
            return self.token_answer
        form = {name: value[0] for name, value in parse_qs((await request.body()).decode()).items()}
        begun = self._codes.pop(form["code"], None)  # a code is good once
        challenge = hashlib.sha256(form["code_verifier"].encode()).digest()
        if (
            begun is None
            or base64.urlsafe_b64encode(challenge).decode().rstrip("=") != begun["code_challenge"]
            or form["redirect_uri"] != begun["redirect_uri"]
            or not self._knows(request, form)
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse({"access_token": "x", "id_token": self._signed(begun["nonce"])})

    def _knows(self, request: Request, form: dict[str, str]) -> bool:
        said = request.headers.get("authorization", "")
        if said.startswith("Basic "):
            user = base64.b64decode(said[6:]).decode()
            return user == ":".join(
                urlencode({"": part})[1:] for part in (CLIENT_ID, CLIENT_SECRET)
            )
        return form.get("client_secret") == CLIENT_SECRET

    def _signed(self, nonce: str) -> str:
        now = int(time.time())
        lies = dict(self.lies)
        key, alg = lies.pop("key", self.key), lies.pop("alg", "ES256")
        if "token" in lies:
            return str(lies["token"])
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 60,
            "nonce": nonce,
            **self.claims,
            **lies,
        }
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": alg, "kid": self.key.kid}, claims, key, algorithms=[alg])


@contextmanager
def provider():
    """A provider that runs in a thread of its own while the block does."""
    sock = socket.create_server(("127.0.0.1", 0))
    found = Provider(sock.getsockname()[1])
    server = uvicorn.Server(uvicorn.Config(found.app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        yield found
    finally:
        server.should_exit = True
        thread.join()


def unsigned(claims: dict[str, Any]) -> str:
    """A token of the algorithm "none"."""
    parts = ({"alg": "none"}, claims)
    packed = [
        base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in parts
    ]
    return ".".join([*packed, ""])


def hmac_key(provider: Provider) -> OctKey:
    """The public key taken for a shared secret, as in the confusion of algorithms."""
    return OctKey.import_key(json.dumps(provider.key.as_dict(private=False)))


def rsa_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "k1"})


def path_and_query(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"
