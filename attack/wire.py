"""A client that sends anything and takes whatever comes back."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Sequence

import msgspec

MARKER = re.compile(rb"fz=([0-9]{8})z")
PATIENCE_S = 8.0
"""How long a reply may take before the caller is given up."""


class Shot(msgspec.Struct, frozen=True):
    """One connection's requests. `parts` go out one by one, `pause_s` between them.

    `due` has the markers of all that must be kept; `replies` is how many answers are owed at
    least. `refused` says that none may be answered by 200.
    """

    kind: str
    parts: tuple[bytes, ...]
    due: tuple[bytes, ...] = ()
    replies: int = 1
    refused: bool = False
    pause_s: float = 0.0
    side: str = "answer"


class Seen(msgspec.Struct, frozen=True):
    """What came back: the statuses in order, and whether it was cut off before all were there."""

    statuses: tuple[int, ...]
    missing: int
    why: str = ""


def fire(address: tuple[str, int], shot: Shot) -> Seen:
    """Send a shot, and read until all owed replies are there, the end, or patience."""
    heads = sum(part.count(b"HEAD ") for part in shot.parts)
    received = b""
    try:
        with socket.create_connection(address, timeout=PATIENCE_S) as sock:
            why = _send(sock, shot)
            end = time.monotonic() + PATIENCE_S
            while len(read_statuses(received, heads)) < shot.replies:
                sock.settimeout(max(0.01, end - time.monotonic()))
                data = sock.recv(65536)
                if not data:
                    break
                received += data
    except TimeoutError:
        why = "silence"
    except OSError as error:
        why = type(error).__name__
    statuses = read_statuses(received, heads)
    return Seen(tuple(statuses), max(0, shot.replies - len(statuses)), why)


def _send(sock: socket.socket, shot: Shot) -> str:
    try:
        for number, part in enumerate(shot.parts):
            if number and shot.pause_s:
                time.sleep(shot.pause_s)
            sock.sendall(part)
        sock.shutdown(socket.SHUT_WR)
    except OSError as error:  # it has heard enough; what it answered is still read
        return type(error).__name__
    return ""


_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


def read_statuses(received: bytes, heads: int = 0) -> list[int]:
    """The statuses of all whole replies, interim ones left out.

    A reply to HEAD has a length and no body: with `heads` a reply that follows at once is taken.
    """
    found: list[int] = []
    at = 0
    while True:
        match = _STATUS.match(received, at)
        end = received.find(b"\r\n\r\n", at)
        if match is None or end < 0:
            return found
        status = int(match[1])
        length = _LENGTH.search(received[at : end + 2])
        at = end + 4
        if status >= 200:
            found.append(status)
            size = int(length[1]) if length else 0
            bodiless = heads and (at == len(received) or _STATUS.match(received, at))
            if size and not bodiless:
                if len(received) < at + size:
                    return found[:-1]
                at += size


def markers(parts: Sequence[bytes]) -> list[bytes]:
    """The markers in what was sent."""
    return MARKER.findall(b"".join(parts))
