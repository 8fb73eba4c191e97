"""The emulator's own certificate, kept in a folder so that whoever trusts it does so once.

It is for this machine's names, and for those of Exotel's API: a program that has them built in is
led here by a `hosts` file. The key is readable by its owner only.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509

from switchhook.emulator.net.certificates import self_signed, server_context
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    import ssl

EXOTELS = ("api.exotel.com", "api.in.exotel.com", "my.exotel.com", "twilix.exotel.in")
"""Hosts that client libraries have built in (exotel-platform E.7)."""
_HERE = ("localhost", "127.0.0.1", "::1")
_VALID = timedelta(days=365)
_LEFT = timedelta(days=7)
_LONGER_AGO = timedelta(days=1)  # for clients whose clock is behind


class OwnCertificate(msgspec.Struct, frozen=True):
    """Where the certificate is, and what a server listens with."""

    file: Path
    context: ssl.SSLContext


def default_folder() -> Path:
    """The user's cache, as the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "switchhook/emulator"


def own_certificate(folder: Path, host: str, now: datetime) -> OwnCertificate:
    """The certificate in a folder; made anew where none is good for `host` and a week.

    `now` is aware. Raises ConfigError where the folder can't be used.
    """
    file, key_file = folder / "certificate.pem", folder / "key.pem"
    names = list(dict.fromkeys([*_HERE, host, *EXOTELS]))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not _is_good(file, key_file, names, now):
            certificate, key = self_signed(
                names, not_before=now - _LONGER_AGO, not_after=now + _VALID
            )
            _write(key_file, key, 0o600)
            _write(file, certificate, 0o644)
        return OwnCertificate(file, server_context(file.read_bytes(), key_file.read_bytes()))
    except OSError as error:
        raise ConfigError(
            f"no certificate can be kept in {folder}: {error.strerror or error}",
            key="--certificate",
            hint="name a folder of yours",
        ) from None


def _is_good(file: Path, key_file: Path, names: list[str], now: datetime) -> bool:
    try:
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        server_context(file.read_bytes(), key_file.read_bytes())
        said = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return False
    known = {str(each) for kind in _KINDS for each in said.get_values_for_type(kind)}
    return set(names) <= known and now + _LEFT < certificate.not_valid_after_utc


_KINDS: tuple[type[x509.DNSName] | type[x509.IPAddress], ...] = (x509.DNSName, x509.IPAddress)


def _write(file: Path, content: bytes, mode: int) -> None:
    """Whole as soon as it is there, and never readable by more than `mode` says."""
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as out:
        out.write(content)
    beside.replace(file)
