"""Looks at ports, names, certificates and bots, each within a bounded time; never raises."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import ipaddress
import json
import os
import re
import secrets
import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from switchhook.doctor.network import Certificate, Handshake, Health, Name
from switchhook.doctor.passthru_client import why

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT_S = 5.0
_LISTENING = "0A"  # as /proc/net/tcp has it
_ACCEPT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_LARGEST = 64 * 1024


def connects(host: str, port: int, timeout_s: float = TIMEOUT_S) -> str:
    """Why a port takes no connection; empty where it does."""
    try:
        socket.create_connection((host, port), timeout_s).close()
    except (OSError, ValueError) as error:
        return why(error, timeout_s)
    return ""


def listener_of(port: int, proc: Path = Path("/proc")) -> str:
    """Which process listens on a port of this machine, as far as the system tells this user."""
    inodes = set()
    for name in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (proc / "net" / name).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    for process in proc.iterdir() if inodes else ():
        if not process.name.isdecimal():
            continue
        with contextlib.suppress(OSError):  # another user's, or it has ended
            if any(os.readlink(each) in inodes for each in (process / "fd").iterdir()):  # noqa: PTH115
                name = (process / "comm").read_text().strip()
                return f"{name} (process {process.name})"
    return ""


def ask_health(url: str, headers: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> Health:
    """What a program of ours says at `/healthz`; without `headers` where those are refused."""
    parts = urlsplit(url)
    asked = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        asked.request("GET", "/healthz", headers=dict(headers))
        answer = asked.getresponse()
        said = json.loads(answer.read(_LARGEST))
        if answer.status in (401, 403) and headers:
            return ask_health(url, {}, timeout_s)
        if not isinstance(said, dict) or "status" not in said:
            return Health(problem="something else answers there")
        return Health(said)
    except ValueError:
        return Health(problem="something else answers there")
    except (OSError, http.client.HTTPException) as error:
        return Health(problem=why(error, timeout_s))
    finally:
        asked.close()


def resolve(host: str) -> Name:
    """The addresses of a host, as this machine finds them."""
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except (OSError, UnicodeError) as error:
        return Name(host, problem=(getattr(error, "strerror", None) or "no such name").lower())
    return Name(host, tuple(dict.fromkeys(str(each[4][0]) for each in found)))


def certificate(host: str, port: int, timeout_s: float = TIMEOUT_S) -> Certificate:
    """What is shown at a port of TLS, and whether this machine trusts it."""
    problem = ""
    try:
        with _tls(host, port, ssl.create_default_context(), timeout_s) as trusted:
            der = trusted.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        try:
            with _tls(host, port, unverified, timeout_s) as shown:
                der = shown.getpeercert(binary_form=True)
        except (OSError, ValueError) as again:
            return Certificate(trusted=False, problem=why(again, timeout_s))
    except (OSError, ValueError) as error:
        return Certificate(trusted=False, problem=why(error, timeout_s))
    return _read(der or b"", host, problem)


def _tls(host: str, port: int, context: ssl.SSLContext, timeout_s: float) -> ssl.SSLSocket:
    plain = socket.create_connection((host, port), timeout_s)
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise


def _read(der: bytes, host: str, problem: str) -> Certificate:
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(der)
        names = _names(found)
        issuer = ", ".join(str(each.value) for each in list(found.issuer)[-2:]) or "nobody named"
    except ValueError:
        return Certificate(trusted=False, problem="it is no certificate that can be read")
    return Certificate(
        trusted=not problem,
        problem=problem,
        begins_s=found.not_valid_before_utc.timestamp(),
        ends_s=found.not_valid_after_utc.timestamp(),
        names=names,
        issuer=issuer,
        self_signed=found.issuer == found.subject,
        matches=any(_is_for(name, host) for name in names),
    )


def _names(found: object) -> tuple[str, ...]:
    from cryptography import x509

    assert isinstance(found, x509.Certificate)
    try:
        said = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = map(str, said.get_values_for_type(x509.IPAddress))
    return (*said.get_values_for_type(x509.DNSName), *addresses)


def _is_for(name: str, host: str) -> bool:
    """Whether a name of a certificate is a host's: a star stands for its first part (RFC 6125)."""
    name, host = name.lower().rstrip("."), host.lower().rstrip(".")
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    return name == host


def shake_hands(url: str, timeout_s: float = TIMEOUT_S) -> Handshake:
    """Begin a WebSocket with a bot, and leave: no call is played."""
    begun = time.monotonic()
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("ws", "wss"):
            return Handshake(None, 0.0, "it is no wss:// address")
        asked = _http(parts.scheme == "wss", parts.hostname or "", parts.port, timeout_s)
    except ValueError:
        return Handshake(None, 0.0, "it is no address")
    key = base64.b64encode(secrets.token_bytes(16))
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        asked.request("GET", target, headers={
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": key.decode(),
        })  # fmt: skip
        answer = asked.getresponse()
        ms = (time.monotonic() - begun) * 1000
        if answer.status != http.client.SWITCHING_PROTOCOLS:
            return Handshake(answer.status, ms)
        right = base64.b64encode(hashlib.sha1(key + _ACCEPT).digest())  # noqa: S324 - RFC 6455
        if (answer.getheader("Sec-WebSocket-Accept") or "").strip().encode() != right:
            return Handshake(101, ms, "its handshake is wrong: Sec-WebSocket-Accept does not fit")
        if asked.sock is not None:  # a close frame, 1000, masked with zeros
            asked.sock.sendall(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        return Handshake(101, ms)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Handshake(None, 0.0, why(error, timeout_s))
    finally:
        asked.close()


def _http(tls: bool, host: str, port: int | None, timeout_s: float) -> http.client.HTTPConnection:
    if tls:
        return http.client.HTTPSConnection(host, port, timeout=timeout_s)
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def shown_url(url: str) -> str:
    """An address of a bot without what may be a secret in it: user, password and query."""
    parts = urlsplit(url)
    host = re.sub(r"^.*@", "", parts.netloc)
    return f"{parts.scheme}://{host}{parts.path}"
