"""Asks an endpoint as Exotel would, with a request that is marked as a test, and finds its receipt.

Nothing is followed, kept or changed on the way: what stands in the request line is what was given.
"""

from __future__ import annotations

import http.client
import secrets
import ssl
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.errors import SwitchhookError
from switchhook.journal import JournalReader
from switchhook.journal.receipt import RecordKind, decode_address, id_of
from switchhook.system.data_folder import JOURNAL
from switchhook.system.request_mark import HEADER, make_mark

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from switchhook.journal.receipt import AddressGiven

TIMEOUT_S = 10.0
KEPT_WITHIN_S = 2.0
_PAUSE_S = 0.02
_BATCH, _MOST_READ = 200, 20_000
_LARGEST = 64 * 1024


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back, and how: `problem` says why nothing did, with no secret in it.

    `headers` are by lower-case name; `ms` is from connecting to the end of the answer, `address`
    who answered, `from_address` what we are on that connection, `at_s` when it came, Unix time.
    """

    test: str
    query: str
    status: int | None = None
    headers: Mapping[str, str] = {}
    body: bytes = b""
    ms: float = 0.0
    address: str = ""
    from_address: str = ""
    at_s: float = 0.0
    problem: str = ""


class Kept(msgspec.Struct, frozen=True):
    """The receipt of a test, with its id. Of a passthru it has no route and no address."""

    id: str
    receipt: AddressGiven


def new_test() -> str:
    """The number of a test, drawn for it alone."""
    return secrets.token_hex(8)


def ask(
    url: str,
    query: str,
    *,
    test: str,
    key: bytes,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Reply:
    """GET a URL with a query, as a test; never raises. `key` is the data folder's."""
    marked = {HEADER: make_mark(key, test, int(time.time())), **(headers or {})}
    begun = time.monotonic()
    connection: http.client.HTTPConnection | None = None
    try:
        parts = urlsplit(url)
        connection = _connection(parts.scheme, parts.hostname or "", parts.port, timeout_s)
        connection.connect()
        ours, theirs = connection.sock.getsockname()[0], connection.sock.getpeername()[0]
        connection.putrequest("GET", f"{parts.path or '/'}?{query}", skip_accept_encoding=True)
        for name, value in {"User-Agent": "switchhook-test", **marked}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return Reply(
            test=test,
            query=query,
            status=answer.status,
            headers={name.lower(): value for name, value in answer.getheaders()},
            body=answer.read(_LARGEST),
            ms=(time.monotonic() - begun) * 1000,
            address=theirs,
            from_address=ours,
            at_s=time.time(),
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        took = (time.monotonic() - begun) * 1000
        return Reply(test=test, query=query, ms=took, problem=why(error, timeout_s))
    finally:
        if connection is not None:
            connection.close()


def find_kept(folder: Path, test: str, within_s: float = KEPT_WITHIN_S) -> Kept | None:
    """The receipt of a test in a data folder's journal; None where none comes in time.

    Raises SwitchhookError where the journal can't be read.
    """
    until = time.monotonic() + within_s
    while True:
        found = _newest(folder, test)
        if found is not None or time.monotonic() >= until:
            return found
        time.sleep(_PAUSE_S)


def _newest(folder: Path, test: str) -> Kept | None:
    journal = JournalReader(folder / JOURNAL)
    try:
        read, before = 0, None
        while read < _MOST_READ and (records := journal.read_back(before, _BATCH)):
            read, before = read + len(records), records[-1].seq
            for record in records:
                if record.damage or record.kind != RecordKind.TEST:
                    continue
                receipt = decode_address(record.body)
                if receipt.test == test:
                    return Kept(id_of(record, journal.node or 0), receipt)
    except ValueError as error:
        raise SwitchhookError(f"a receipt can't be read: {error}") from error
    finally:
        journal.close()
    return None


def _connection(
    scheme: str, host: str, port: int | None, timeout_s: float
) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    return http.client.HTTPConnection(host, port, timeout=timeout_s)


def why(error: BaseException, timeout_s: float) -> str:
    """Why no answer came, in words of ours: those of libraries may quote the request."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s"
    if isinstance(error, http.client.HTTPException):
        return "it does not answer as HTTP does, or closed the connection before"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "it can't be connected to"
