"""What a probe of a member finds, step by step, and what is made of it. Pure.

A probe finds the address of the host's name, connects to that address, speaks TLS, and begins a
WebSocket with the member's Basic auth; then it leaves, and no call is played. An address of a
private network is not connected to unless the member's configuration allows it.
"""

from __future__ import annotations

import base64
import hashlib
import re
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import msgspec

from switchhook.networks import literal_address, network_of_address

if TYPE_CHECKING:
    from collections.abc import Iterable

_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
LARGEST_HEAD = 16 * 1024
DAY_MS = 86_400_000
SOON_DAYS = 14
"""A certificate that ends within so many days is told of."""


class Step(StrEnum):
    """How far a probe came: the step that failed, or DONE."""

    NAME = "name"
    CONNECT = "connect"
    TLS = "tls"
    HANDSHAKE = "handshake"
    DONE = "done"


class ProbeTarget(msgspec.Struct, frozen=True):
    """What is probed: host, port and path of a member, and the header of its Basic auth."""

    host: str
    port: int
    tls: bool
    path: str
    authorization: str = ""
    allow_private: bool = False

    def __repr__(self) -> str:
        return f"ProbeTarget({self.host!r}, {self.port}, …)"


class Probed(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found at `at_ms`, after `ms`.

    `problem` is what failed at `step`, in words, empty where nothing did. `certain` is whether
    nobody could be reached there by what was found, Exotel neither: what only times out, or refuses
    us, may take Exotel's calls. `network` is that of our own which its name leads into without
    leave, empty where it does not or is not known; `address` is empty then, too. `ends_ms` is when
    the certificate ends, None where none was seen.
    """

    at_ms: int
    step: Step
    problem: str = ""
    certain: bool = False
    ms: float = 0.0
    address: str = ""
    network: str = ""
    ends_ms: int | None = None

    @property
    def reached(self) -> bool:
        """Whether the member would take a call."""
        return self.step is Step.DONE

    def days_left(self, now_ms: int) -> int | None:
        """Whole days until the certificate ends; below 0 after."""
        return None if self.ends_ms is None else (self.ends_ms - now_ms) // DAY_MS


def target_of(url: str, *, allow_private: bool) -> ProbeTarget | None:
    """What to probe of a whole address, its Basic auth included; None of what is no address."""
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("ws", "wss") or not host:
        return None
    login = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = "Basic " + base64.b64encode(pair.encode()).decode()
    tls = parts.scheme == "wss"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return ProbeTarget(host, port or (443 if tls else 80), tls, path, login, allow_private)


def chosen(addresses: Iterable[str], *, allow_private: bool) -> tuple[str, str, str]:
    """The address to connect to, or none and why not, and the network of our own it would be in.

    Where one of a name's addresses is private none is taken: which one Exotel meets is chance.
    """
    found = list(dict.fromkeys(addresses))
    if not found:
        return "", "the name has no address", ""
    for each in found:
        if literal_address(each.partition("%")[0]) is None:
            return "", f"{each} is no address", ""
        network = network_of_address(each)
        if network and not allow_private:
            return "", not_given(network), network
    return found[0], "", ""


def not_given(network: str) -> str:
    """Why a member is given to nobody whose name leads into a network of our own."""
    return (
        f"its name is an address of {network}: not given to Exotel; allow_private = true if meant"
    )


def handshake_request(target: ProbeTarget, key: str) -> bytes:
    """The request that begins a WebSocket, RFC 6455 section 4.1; `key` is 16 bytes in Base64."""
    default = 443 if target.tls else 80
    host = f"[{target.host}]" if ":" in target.host else target.host
    lines = [
        f"GET {target.path} HTTP/1.1",
        f"Host: {host}" if target.port == default else f"Host: {host}:{target.port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        "User-Agent: switchhook-probe",
    ]
    if target.authorization:
        lines.append(f"Authorization: {target.authorization}")
    return "\r\n".join((*lines, "", "")).encode("latin-1", "replace")


def head_is_whole(head: bytes) -> bool:
    """Whether the answer's head has ended, or there is no use in reading on."""
    no_http = len(head) >= len(_BEGINS) and not head.startswith(_BEGINS)
    return b"\r\n\r\n" in head or no_http or len(head) > LARGEST_HEAD


_BEGINS = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: [^\r\n]*)?\r\n")


def handshake_problem(head: bytes, key: str) -> str:
    """What is wrong with the answer to a handshake; empty where it was accepted as it should be."""
    if not head:
        return "the connection was closed without an answer"
    found = _STATUS.match(head)
    if found is None:
        return "what answers speaks no HTTP" if head_is_whole(head) else "its answer broke off"
    status = int(found[1])
    if status == 401:
        return "it refused the Basic auth (401)"
    if status != 101:
        return f"it refused the handshake with {status}"
    if b"\r\n\r\n" not in head:
        return "its answer is too long, or broke off"
    right = base64.b64encode(hashlib.sha1(key.encode() + _ACCEPT).digest())  # noqa: S324 - RFC 6455
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    said = {
        name.strip().lower(): text.strip()
        for name, _, text in (line.partition(b":") for line in lines)
    }
    if said.get(b"sec-websocket-accept") != right:
        return "its handshake is wrong: Sec-WebSocket-Accept does not fit"
    return ""
