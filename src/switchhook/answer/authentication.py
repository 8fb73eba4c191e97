"""Who may ask: the endpoint in a path, its secrets, and the rule for open endpoints.

Pure: an `Admission` or the reason of a refusal comes back, and the caller counts and answers.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import msgspec

from switchhook.answer.http.messages import Answer
from switchhook.answer.redact import Redactor
from switchhook.journal.receipt import Auth
from switchhook.rules.decide import Option, Ruleset
from switchhook.rules.rules_file import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from switchhook.answer.http.messages import Head

HTTP_STATUS = {Option.A: 200, Option.B: 302}
"""What an option is on the wire: 200 is Option A, anything else is Option B."""

ROOT = b"/passthru/"
_SECRET = re.compile(rb"(?:\A|[&?;])(?:%0[AaDd]|\s){0,16}secret=([^&;?]*)", re.IGNORECASE)
_LOOPBACK_HOST = re.compile(
    r"(?:localhost|(?:[a-z0-9-]{1,63}\.){1,4}localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?\Z",
    re.IGNORECASE,
)
_LOOKS_LIKE_PASSTHRU = re.compile(rb"callsid|call_sid|stream(?:\[|%5b|=|sid)", re.IGNORECASE)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A configured passthru URL, ready to answer."""

    name: str
    sync: bool = True
    report_only: bool = False
    secrets: tuple[bytes, ...] = ()
    """Without any it is open to programs on this machine."""
    configured: bool = True
    """Whether the operator gave it what lets requests in; else the secret was made of the folder's
    key."""
    ruleset: Ruleset = BUILTIN
    safe_option: Option = Option.B
    deadline_ms: int = 1000
    region: str = "IN"
    zone: ZoneInfo
    bodies: tuple[str, str] = ("", "")
    """The bodies that go with A and B, for a SwitchCase applet."""
    redactor: Redactor
    account: str = ""
    """The account whose facts its rules see, by the operator's name; empty is none."""

    @property
    def mode(self) -> str:
        """In the words of the configuration."""
        return "sync" if self.sync else "async"

    def answer(self, option: Option) -> Answer:
        """What goes out for an option; async applets ignore it, so they always hear 200."""
        status = HTTP_STATUS[option] if self.sync else 200
        body = self.bodies[0 if option is Option.A else 1]
        if not body:
            return Answer(status)
        json = body.lstrip()[:1] == "{"
        kind = "application/json" if json else "text/plain; charset=utf-8"
        return Answer(status, body.encode(), kind)


class Admission(msgspec.Struct, frozen=True):
    """A request that may be answered."""

    endpoint: Endpoint
    auth: Auth
    test: str | None = None
    """The number of a test that was marked as one."""

    @property
    def proven(self) -> bool:
        """False where report-only let in a wrong secret, or none."""
        return self.auth.by is not None or self.auth.state == "open"


class AdmissionRefusal(msgspec.Struct, frozen=True):
    """A request that may not: the status, a reason to count by, and what to say.

    `endpoint` is the one that it asked for, where that is a passthru's.
    """

    status: int
    reason: str
    text: str
    endpoint: Endpoint | None = None


NOT_FOUND = AdmissionRefusal(404, "unknown endpoint", "no such endpoint\n")
_NOT_LOOPBACK = AdmissionRefusal(
    403,
    "not loopback",
    "this endpoint is open, so it answers only programs on its own machine: the request came"
    " through a proxy, in HTTP/1.0 or for another host name. make a secret with"
    " `switchhook secret`, put it into the configuration, and use the URL it prints\n",
)
_WHERE = (
    ": none is configured, so one was made; `switchhook link` prints the URL with it, and"
    " `switchhook secret` makes one for the configuration"
)
_OPEN, _BY_PATH, _BY_QUERY, _BY_BASIC, _WRONG, _MISSING = (
    Auth("open"),
    Auth("ok", "path"),
    Auth("ok", "query"),
    Auth("ok", "basic"),
    Auth("wrong"),
    Auth("missing"),
)


def find(endpoints: Mapping[str, Endpoint], path: bytes) -> tuple[Endpoint | None, bytes]:
    """The endpoint that a path names, and the secret behind it; None for a path of another kind."""
    if not path.startswith(ROOT):
        return None, b""
    name, _, secret = path[len(ROOT) :].partition(b"/")
    endpoint = endpoints.get(name.decode("latin-1"))
    if endpoint is None and b"%" in name:
        endpoint = endpoints.get(unquote_to_bytes(name).decode("latin-1"))
    return endpoint, secret.rstrip(b"/")


def admit(endpoints: Mapping[str, Endpoint], head: Head) -> Admission | AdmissionRefusal:
    """Judge a head by its path, its secret and, for open endpoints, where it comes from."""
    endpoint, in_path = find(endpoints, head.path)
    if endpoint is None:
        return NOT_FOUND
    if not endpoint.secrets:
        return _admit_to_open(endpoint, head)
    auth = prove(endpoint.secrets, in_path, head)
    if auth.by is not None or endpoint.report_only:
        return Admission(endpoint, auth)
    text = f"the secret is {auth.state}{'' if endpoint.configured else _WHERE}\n"
    return AdmissionRefusal(403, f"secret {auth.state}", text, endpoint=endpoint)


def prove(secrets: tuple[bytes, ...], in_path: bytes, head: Head) -> Auth:
    """Whether a request has one of the secrets: in its path, its query, or as credentials."""
    if in_path and _matches(secrets, in_path):
        return _BY_PATH
    found = [match[1].replace(b"+", b" ") for match in _SECRET.finditer(head.query)]
    if any(_matches(secrets, secret) for secret in found):
        return _BY_QUERY
    basic = _basic(head.authorization)
    if any(_matches(secrets, secret, escaped=False) for secret in basic):
        return _BY_BASIC
    return _WRONG if in_path or found or basic else _MISSING


def looks_like_passthru(text: bytes) -> bool:
    """Whether the query of a refused request, or one not readable, may be our own applet's."""
    return _LOOKS_LIKE_PASSTHRU.search(text) is not None


def is_of_this_machine(head: Head) -> bool:
    """Whether a request comes straight from a program on this machine."""
    try:
        peer = ipaddress.ip_address(head.peer)
    except ValueError:
        return False
    return peer.is_loopback and _came_straight(head)


def _came_straight(head: Head) -> bool:
    if head.problem is not None:
        return False  # what a proxy adds may stand where we could not read
    local = head.host is None or _LOOPBACK_HOST.match(head.host) is not None
    return local and not head.forwarded


def _admit_to_open(endpoint: Endpoint, head: Head) -> Admission | AdmissionRefusal:
    # Such a port listens on loopback only, so the sender's address says nothing.
    if not _came_straight(head):
        return msgspec.structs.replace(_NOT_LOOPBACK, endpoint=endpoint)
    return Admission(endpoint, _OPEN)


def _matches(secrets: tuple[bytes, ...], given: bytes, *, escaped: bool = True) -> bool:
    """Compare with every secret in constant time, whether one matched already or not."""
    if escaped and b"%" in given:
        given = unquote_to_bytes(given)
    matched = False
    for secret in secrets:
        matched |= hmac.compare_digest(secret, given)
    return matched


def _basic(authorization: str | None) -> tuple[bytes, ...]:
    """The password of Basic credentials, and the user where there is no password."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return ()
    try:
        user, _, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return (b"",)
    return (password or user,)
