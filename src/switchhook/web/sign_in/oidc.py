"""Signing in at an OpenID Connect provider: the code flow with PKCE, state and nonce.

The only part of the console that asks somebody else over the network. What comes back is bounded
and believed only as far as the provider's keys, named by its own discovery document, vouch for it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
import time
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import httpx2
import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from switchhook.loopback import is_loopback
from switchhook.web.sign_in.oidc_state import OidcProblem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from switchhook.access.roles import OidcSettings
    from switchhook.web.sign_in.oidc_state import OidcState

TIMEOUT_S = 10.0
LARGEST_ANSWER = 1_000_000
DISCOVERY_S = 3_600.0
KEYS_AGAIN_S = 60.0
"""An unknown key makes us look again, not more often than this."""
LEEWAY_S = 60
ALGORITHMS = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""All with a public key: one whose key is our own secret could be made by whoever learns it."""


T = TypeVar("T")


class _Provider(msgspec.Struct):
    """What the discovery document says, as far as we use it."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class _Tokens(msgspec.Struct):
    id_token: str


class OidcClient:
    """Asks one provider. `clock` is monotonic seconds, `now_s` Unix seconds."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._clock, self._now_s = settings, clock, now_s
        self._lock = asyncio.Lock()
        self._provider: _Provider | None = None
        self._keys: KeySet | None = None
        self._provider_at = self._keys_at = float("-inf")

    async def address(self, oidc_state: OidcState, back: str) -> str:
        """Where to send the browser; `back` is our callback's address. Raises OidcProblem."""
        provider = await self._discovered()
        challenge = hashlib.sha256(oidc_state.verifier.encode()).digest()
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._settings.scopes),
            "state": oidc_state.state,
            "nonce": oidc_state.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }
        if oidc_state.again:
            query |= {"prompt": "login", "max_age": "0"}
        mark = "&" if urlsplit(provider.authorization_endpoint).query else "?"
        return f"{provider.authorization_endpoint}{mark}{urlencode(query)}"

    async def claims(
        self, said: Mapping[str, str], oidc_state: OidcState, back: str
    ) -> dict[str, Any]:
        """Who came back with this query, as the provider vouches. Raises OidcProblem."""
        if not secrets.compare_digest(said.get("state", "").encode(), oidc_state.state.encode()):
            raise OidcProblem("this sign-in was not begun in this browser: begin it again")
        provider = await self._discovered()
        named = "iss" in said or provider.authorization_response_iss_parameter_supported
        if named and said.get("iss") != provider.issuer:  # another provider's answer (RFC 9207)
            raise OidcProblem("another provider answered: begin again", "iss differs")
        if "error" in said:
            raise OidcProblem("the provider did not sign you in", said["error"][:200])
        if not said.get("code"):
            raise OidcProblem("the provider sent no code: begin again")
        token = await self._exchange(provider, said["code"], oidc_state, back)
        return await self._checked(provider, token, oidc_state)

    async def _exchange(
        self, provider: _Provider, code: str, oidc_state: OidcState, back: str
    ) -> str:
        settings = self._settings
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": settings.client_id,
            "code_verifier": oidc_state.verifier,
        }
        auth = None
        if settings.client_secret:
            methods = provider.token_endpoint_auth_methods_supported
            if "client_secret_basic" in methods:
                quoted = (_form_quoted(settings.client_id), _form_quoted(settings.client_secret))
                auth = httpx2.BasicAuth(*quoted)
            else:
                form["client_secret"] = settings.client_secret
        answer = await _ask("POST", provider.token_endpoint, data=form, auth=auth)
        return _read(answer, _Tokens, "the provider gave no identity token").id_token

    async def _checked(
        self, provider: _Provider, token: str, oidc_state: OidcState
    ) -> dict[str, Any]:
        """The claims of a token whose signature, issuer, audience, times and nonce are right."""
        why = "what the provider says of you can't be believed"
        try:
            decoded = self._decoded(token, await self._keyset(provider))
        except (JoseError, ValueError):
            try:  # keys are changed now and then
                decoded = self._decoded(token, await self._keyset(provider, again=True))
            except (JoseError, ValueError) as error:
                raise OidcProblem(why, f"its signature: {error}") from error
        claims = decoded.claims
        rules = jwt.JWTClaimsRegistry(
            now=int(self._now_s()),
            leeway=LEEWAY_S,
            iss={"essential": True, "value": provider.issuer},
            aud={"essential": True, "value": self._settings.client_id},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": oidc_state.nonce},
        )
        try:
            rules.validate(claims)
        except JoseError as error:
            raise OidcProblem(why, str(error)) from error
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if (several or "azp" in claims) and claims.get("azp") != self._settings.client_id:
            raise OidcProblem(why, "azp: it was made for another application")
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise OidcProblem(why, "sub: no text")
        return dict(claims)

    def _decoded(self, token: str, keys: KeySet) -> jwt.Token:
        return jwt.decode(token, keys, algorithms=list(ALGORITHMS))

    async def _discovered(self) -> _Provider:
        async with self._lock:
            known = self._provider
            if known is not None and self._clock() - self._provider_at < DISCOVERY_S:
                return known
            issuer = self._settings.issuer
            answer = await _ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            found = _read(answer, _Provider, "the provider's discovery document can't be read")
            if found.issuer != issuer:
                raise OidcProblem("the provider is not the one that is configured", found.issuer)
            for url in (found.authorization_endpoint, found.token_endpoint, found.jwks_uri):
                _refuse_open(url)
            self._provider, self._provider_at = found, self._clock()
            return found

    async def _keyset(self, provider: _Provider, *, again: bool = False) -> KeySet:
        async with self._lock:
            age = self._clock() - self._keys_at
            fresh = age < (KEYS_AGAIN_S if again else DISCOVERY_S)
            if self._keys is not None and fresh:
                return self._keys
            answer = await _ask("GET", provider.jwks_uri)
            try:
                self._keys = KeySet.import_key_set(msgspec.json.decode(answer))
            except (JoseError, msgspec.MsgspecError, ValueError, TypeError, KeyError) as error:
                raise OidcProblem("the provider's keys can't be read", str(error)) from error
            self._keys_at = self._clock()
            return self._keys


async def _ask(
    method: str, url: str, *, data: dict[str, str] | None = None, auth: httpx2.Auth | None = None
) -> bytes:
    """The body of a 200; bounded in size and time, no redirect followed. Raises OidcProblem."""
    why = "the provider can't be reached just now"
    host = urlsplit(url).netloc
    body = b""
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False) as client,
            client.stream(
                method, url, data=data, auth=auth, headers={"Accept": "application/json"}
            ) as answer,
        ):
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_ANSWER:
                    raise OidcProblem(why, f"{host} sent more than {LARGEST_ANSWER:,} bytes")
    except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
        raise OidcProblem(why, f"{host}: {type(error).__name__} {error}".strip()) from error
    if answer.status_code != 200:
        raise OidcProblem(why, f"{host} answered {answer.status_code}: {_error_of(body)}")
    return body


def _read(answer: bytes, kind: type[T], why: str) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError as error:
        raise OidcProblem(why, str(error)) from error


def _error_of(body: bytes) -> str:
    """The `error` of an OAuth refusal, which holds no secret; nothing else of the body is told."""
    try:
        said = msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return ""
    error = said.get("error") if isinstance(said, dict) else None
    return error[:100] if isinstance(error, str) and error.isprintable() else ""


def _refuse_open(url: str) -> None:
    """No address that the provider names is asked in the clear, but on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise OidcProblem("the provider's discovery document can't be read", "no URL") from None
    if parts.scheme == "https" and host:
        return
    if parts.scheme != "http" or not is_loopback(host):
        raise OidcProblem("the provider names an address that is not https", host)


def _form_quoted(text: str) -> str:
    """As RFC 6749 2.3.1 wants the two halves of Basic authentication."""
    return urlencode({"": text})[1:]
