"""Who may ask: the endpoint in a path, its secrets, and the rule for open endpoints.

Pure: an `LetIn` or the reason of a refusal comes back, and the caller counts and answers.
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

from switchhook.answer.bots import NO_POOLS, BotAddress, BotPools
from switchhook.answer.choices import PLAIN, Choice, number_of
from switchhook.answer.http.messages import Answer
from switchhook.answer.redact import Redactor
from switchhook.journal.receipt import Auth, Keep
from switchhook.rules.decide import Decision, Option, Ruleset
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import BUILTIN

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from switchhook.answer.http.messages import Head

_A, _VOICEBOT = Option.A, EndpointKind.VOICEBOT
HTTP_STATUS = {Option.A: 200, Option.B: 302}
"""What an option is on the wire: 200 is Option A, anything else is Option B."""

ROOT, VOICEBOT_ROOT = b"/passthru/", b"/voicebot/"
_encode = msgspec.json.Encoder().encode
_SECRET = re.compile(rb"(?:\A|[&?;])(?:%0[AaDd]|\s){0,16}secret=([^&;?]*)", re.IGNORECASE)
_LOOPBACK_HOST = re.compile(
    r"(?:localhost|(?:[a-z0-9-]{1,63}\.){1,4}localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?\Z",
    re.IGNORECASE,
)
_LOOKS_LIKE_PASSTHRU = re.compile(rb"callsid|call_sid|stream(?:\[|%5b|=|sid)", re.IGNORECASE)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A configured URL of a passthru or a Voicebot applet, ready to answer."""

    name: str
    kind: EndpointKind = EndpointKind.PASSTHRU
    sync: bool = True
    report_only: bool = False
    secrets: tuple[bytes, ...] = ()
    """Without any it is open to programs on this machine."""
    configured: bool = True
    """Whether the operator gave it what lets requests in; else the secret was made of the folder's
    key."""
    ruleset: Ruleset = BUILTIN
    candidate: Ruleset | None = None
    """What decides for a share of the callers while a rollout of it is told."""
    safe_option: Option = Option.B
    deadline_ms: int = 1000
    region: str = "IN"
    zone: ZoneInfo
    bodies: tuple[str, str] = ("", "")
    """The bodies that go with A and B, for a SwitchCase applet."""
    redactor: Redactor
    account: str = ""
    """The account whose facts its rules see, by the operator's name; empty is none."""
    choices: Mapping[int, Choice] = msgspec.field(default_factory=lambda: PLAIN)
    """What it can answer, by number."""
    bots: BotPools = NO_POOLS
    fallback: BotAddress | None = None
    """Of a voicebot endpoint: what is given where no member can be."""
    keep: Keep = Keep.LOCAL
    """Where its receipts are to be before their answers leave."""
    when_off: int = 404
    """What a voicebot endpoint says where it gives no address."""

    @property
    def mode(self) -> str:
        """In the words of the configuration."""
        return "sync" if self.sync else "async"

    @property
    def no_address(self) -> Answer:
        """What goes out where no address is given."""
        return Answer(self.when_off, b"no address\n")

    def number_of(self, decision: Decision) -> int:
        """The number of an option's answer, for the journal and for repeats."""
        if decision.select:
            return number_of("select", decision.select)
        return 0 if decision.option is _A else 1

    def answer(self, decision: Decision) -> Answer:
        """What goes out for a decision; async applets ignore it, so they always hear 200."""
        if decision.select and self.sync:
            return Answer(200, _encode({"select": decision.select}), "application/json")
        option = decision.option
        status = HTTP_STATUS[option] if self.sync else 200
        body = self.bodies[0 if option is _A else 1]
        if not body:
            return Answer(status)
        json = body.lstrip()[:1] == "{"
        kind = "application/json" if json else "text/plain; charset=utf-8"
        return Answer(status, body.encode(), kind)


class LetIn(msgspec.Struct, frozen=True):
    """A request that may be answered."""

    endpoint: Endpoint
    auth: Auth
    test: str | None = None
    """The number of a test that was marked as one."""

    @property
    def proven(self) -> bool:
        """False where report-only let in a wrong secret, or none."""
        return self.auth.by is not None or self.auth.state == "open"

    @property
    def keep(self) -> Keep:
        """Where its receipt is to be before its answer leaves; a test's needn't outlive a disk."""
        return self.endpoint.keep if self.test is None else Keep.LOCAL


class Refusal(msgspec.Struct, frozen=True):
    """A request that may not: the status, a reason to count by, and what to say.

    `endpoint` is the one that it asked for, where that is a passthru's.
    """

    status: int
    reason: str
    text: str
    endpoint: Endpoint | None = None


NOT_FOUND = Refusal(404, "unknown endpoint", "no such endpoint\n")
_NOT_LOOPBACK = Refusal(
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
    if path.startswith(ROOT):
        endpoint, secret = find_below(endpoints, path[len(ROOT) :])
        of_voicebot = False
    elif path.startswith(VOICEBOT_ROOT):
        endpoint, secret = find_below(endpoints, path[len(VOICEBOT_ROOT) :])
        of_voicebot = True
    else:
        return None, b""
    if endpoint is not None and (endpoint.kind is _VOICEBOT) is not of_voicebot:
        return None, b""  # the URL of another applet
    return endpoint, secret


def find_below(endpoints: Mapping[str, Endpoint], path: bytes) -> tuple[Endpoint | None, bytes]:
    """The endpoint and the secret in what follows the first part of a path."""
    name, _, secret = path.partition(b"/")
    endpoint = endpoints.get(name.decode("latin-1"))
    if endpoint is None and b"%" in name:
        endpoint = endpoints.get(unquote_to_bytes(name).decode("latin-1"))
    return endpoint, secret.rstrip(b"/")


class ProvedPaths:
    """What paths with a secret let in, so that the same again need not be taken apart.

    To look one up tells nobody anything of a secret by the time it takes: only paths of the same
    hash are compared, and hashes are keyed anew in each process.
    """

    MOST, LONGEST = 256, 512
    """One path has many spellings, but only who knows a secret can spell it."""

    def __init__(self) -> None:
        self._known: dict[bytes, LetIn] = {}
        self.find = self._known.get

    def add(self, path: bytes, let_in: LetIn) -> None:
        """Remember whom a path let in, if the path alone did."""
        if let_in.auth is _BY_PATH and len(path) <= self.LONGEST:
            if len(self._known) >= self.MOST:
                self._known.clear()
            self._known[path] = let_in

    def clear(self) -> None:
        """Forget all: the endpoints are others."""
        self._known.clear()


def admit(endpoints: Mapping[str, Endpoint], head: Head) -> LetIn | Refusal:
    """Judge a head by its path, its secret and, for open endpoints, where it comes from."""
    endpoint, in_path = find(endpoints, head.path)
    return NOT_FOUND if endpoint is None else admit_to(endpoint, in_path, head)


def admit_to(endpoint: Endpoint, in_path: bytes, head: Head) -> LetIn | Refusal:
    """Judge a head that asks for an endpoint, with what stands for the secret in its path."""
    if not endpoint.secrets:
        return _admit_to_open(endpoint, head)
    auth = prove(endpoint.secrets, in_path, head)
    if auth.by is not None or endpoint.report_only:
        return LetIn(endpoint, auth)
    # How it is set up is for who runs it, not for strangers.
    told = "" if endpoint.configured or not is_of_this_machine(head) else _WHERE
    text = f"the secret is {auth.state}{told}\n"
    return Refusal(403, f"secret {auth.state}", text, endpoint=endpoint)


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


def _admit_to_open(endpoint: Endpoint, head: Head) -> LetIn | Refusal:
    # Such a port listens on loopback only, so the sender's address says nothing.
    if not _came_straight(head):
        return msgspec.structs.replace(_NOT_LOOPBACK, endpoint=endpoint)
    return LetIn(endpoint, _OPEN)


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
