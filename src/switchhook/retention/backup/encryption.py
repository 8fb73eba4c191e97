"""Encrypting a backup as it is written, and decrypting it as it is read, in the age format.

Both go through a pipe and a thread of their own: a backup may be larger than memory.
"""

from __future__ import annotations

import contextlib
import os
import threading
from typing import IO, TYPE_CHECKING, Any

from switchhook.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


HEADER = b"age-encryption.org/v1\n"
"""How an encrypted file begins."""

_LONGEST_IDENTITIES = 1 << 20
_PIPE = 1 << 20


@contextlib.contextmanager
def encrypting(raw: IO[bytes], recipients: Sequence[str]) -> Iterator[IO[bytes]]:
    """A file to write to; what is written goes to `raw`, encrypted for all recipients.

    `age1…` and public keys of SSH are recipients; without any, `raw` itself is given. Raises
    BackupError where one is no recipient.
    """
    if not recipients:
        yield raw
        return
    import pyrage

    keys = [_recipient(each) for each in recipients]
    kept = _Kept(raw)

    def encrypt(source: IO[bytes]) -> None:
        try:
            pyrage.encrypt_io(source, kept, keys)
        except pyrage.EncryptError as error:
            raise kept.problem or error from error

    with _through(encrypt) as target:
        yield target


@contextlib.contextmanager
def decrypting(raw: IO[bytes], source: str, identities: Path | None) -> Iterator[IO[bytes]]:
    """A file to read a backup from, decrypted where it is encrypted.

    Raises BackupError where it can't be, or was cut short or altered.
    """
    start = raw.read(len(HEADER))
    raw.seek(0)
    if start != HEADER:
        yield raw
        return
    if identities is None:
        hint = "give the file with the key that it was encrypted to: --identity FILE"
        raise BackupError(source, "is encrypted", hint)
    import pyrage

    keys = read_identities(identities)
    wrong: list[BaseException] = []
    reading, writing = os.pipe()

    def decrypt() -> None:
        with open(writing, "wb", buffering=0) as target:  # noqa: PTH123 - a descriptor
            try:
                pyrage.decrypt_io(raw, target, keys)
            except (pyrage.DecryptError, OSError, ValueError) as error:
                wrong.append(error)

    thread = threading.Thread(target=decrypt, name="decrypt", daemon=True)
    thread.start()
    try:
        with open(reading, "rb", buffering=_PIPE) as content:  # noqa: PTH123 - a descriptor
            try:
                yield content
            except BackupError as error:
                if wrong:
                    raise _undecrypted(source, wrong[0]) from error
                raise
    finally:
        thread.join()  # the pipe is closed: it has ended, or ends at its next write
    if wrong:
        raise _undecrypted(source, wrong[0])


def read_identities(path: Path) -> list[Any]:
    """The keys in a file: lines of AGE-SECRET-KEY-1…, or a private key of SSH.

    Raises BackupError, OSError.
    """
    import pyrage

    with path.open("rb") as file:
        content = file.read(_LONGEST_IDENTITIES)
    hint = "a file as age-keygen makes it, or a private key of SSH without a passphrase"
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            return [pyrage.ssh.Identity.from_buffer(content)]
        lines = [line.strip() for line in content.decode("ascii").splitlines()]
        found = [
            pyrage.x25519.Identity.from_str(line)
            for line in lines
            if line and not line.startswith("#")
        ]
    except (pyrage.IdentityError, UnicodeDecodeError):
        raise BackupError(str(path), "holds no key that can be read", hint) from None
    if not found:
        raise BackupError(str(path), "holds no key that can be read", hint)
    return found


def _recipient(text: str) -> Any:
    import pyrage

    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError:
        hint = "age1… as age-keygen prints it, or a public key of SSH"
        raise BackupError(repr(text[:80]), "is no recipient to encrypt to", hint) from None


class _Kept:
    """A file to write to that remembers why it couldn't be: pyrage makes a sentence of it."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.problem: OSError | None = None

    def write(self, content: bytes) -> int:
        try:
            return self._raw.write(content)
        except OSError as error:
            self.problem = error
            raise

    def flush(self) -> None:
        self._raw.flush()


@contextlib.contextmanager
def _through(work: Callable[[IO[bytes]], None]) -> Iterator[IO[bytes]]:
    """A file to write to that another thread reads; ends when that has read it all."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def run() -> None:
        with open(reading, "rb", buffering=_PIPE) as source:  # noqa: PTH123 - a descriptor
            try:
                work(source)
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                failed.append(error)

    thread = threading.Thread(target=run, name="encrypt", daemon=True)
    thread.start()
    try:
        with open(writing, "wb", buffering=_PIPE) as target:  # noqa: PTH123 - a descriptor
            yield target
    except BrokenPipeError:
        thread.join()
        if failed:
            raise failed[0] from None
        raise
    finally:
        thread.join()
    if failed:
        raise failed[0]


def _undecrypted(source: str, error: BaseException) -> BackupError:
    if "matching keys" in str(error).lower():
        hint = "give the file with the key that it was encrypted to"
        return BackupError(source, "can't be decrypted with this key", hint)
    hint = "take another backup; nothing was written"
    return BackupError(source, "is cut short or altered: it can't be decrypted to its end", hint)
