"""The facts file: what the console tells the answer process, which asks nobody.

One small file in the data folder, replaced whole. The console writes it by each new figure:

    file = FactsFile(data_folder, boot)
    file.write({"main": AccountFigures(now_ms, active=71, allowed=100, mono_ms=mono_ms)}, now_ms)

The answer process looks every 100 ms; where the file is the same as before that is one `stat`:

    reader = FactsReader(data_folder, boot)
    known = reader.look(now_ms, mono_ms)  # {"main": Facts(71, 100, 29, 0.4)}
    facts = known.get("main", Facts())    # what isn't told is unknown, never zero
    reader.complaint                      # None, or what is wrong, in a sentence

Without a configured account there is no file, and nobody should look. Whatever is wrong with it
(missing, damaged, newer, old, from the future), its facts are unknown, which rules can tell from
zero.

A figure's age goes by the monotonic clock, which both processes share while `boot`, the start of
the machine, is the same; else by the system's.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from switchhook.capacity.readings import Reading

FILE = "facts.json"
VERSION = 1
LARGEST = 256 * 1024
LIVES_MS = 60_000
"""How long a figure may be used after it was learnt."""
LOOK_S = 0.1
PATIENCE_MS = 15_000
"""How long a missing file is no reason to complain: the console may be starting."""
SKEW_MS = 2_000
"""How far ahead of our clock a figure may be; both processes share it, but it may be stepped."""


class AccountFigures(msgspec.Struct, frozen=True):
    """Streams in use and allowed at `at_ms`, of one account; what is None isn't known.

    `mono_ms` is the same moment by the monotonic clock, which both processes share: their ages go
    by it, as the system's clock may step.
    """

    at_ms: int
    active: int
    allowed: int | None = None
    mono_ms: int | None = None


class _Document(msgspec.Struct, frozen=True):
    version: int
    written_ms: int
    accounts: dict[str, AccountFigures]
    boot: str = ""


class _Head(msgspec.Struct, frozen=True):
    """What every version begins with."""

    version: int


_MOST_NAMED = 5
_DAMAGED = "it is damaged; the console replaces it by its next figure"
_SAME = (0, 0, 0)
"""No file has this stamp: its inode would be 0."""


class FactsFile:
    """The side that writes. One process and one thread at a time may."""

    def __init__(self, folder: Path, boot: str = "") -> None:
        self.path, self._boot = folder / FILE, boot
        self._fresh = folder / f"{FILE}.new"

    def tell(self, readings: Iterable[Reading], now_ms: int, mono_ms: int) -> None:
        """Replace the file by what was read last of each account. Raises OSError."""
        figures = {
            each.account: AccountFigures(
                each.at_ms, each.active, each.allowed, mono_ms - (now_ms - each.at_ms)
            )
            for each in readings
            if each.active is not None
        }
        self.write(figures, now_ms)

    def write(self, accounts: Mapping[str, AccountFigures], now_ms: int) -> None:
        """Replace the file. Raises OSError; the facts in force then run out by themselves.

        It is not synced: after a crash of the machine the facts are too old anyway.
        """
        document = _Document(VERSION, now_ms, dict(accounts), self._boot)
        body = with_checksum(msgspec.json.encode(document))
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(self._fresh, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        self._fresh.replace(self.path)


class FactsReader:
    """The side that looks; it never raises, and reads the file only when it was replaced."""

    def __init__(self, folder: Path, boot: str = "") -> None:
        self.path, self._boot = folder / FILE, boot
        self.complaint: str | None = None
        self._stamp = _SAME
        self._figures: dict[str, AccountFigures] = {}
        self._damage: str | None = None
        self._missing_since: int | None = None

    def look(self, now_ms: int, mono_ms: int | None = None) -> dict[str, AccountFacts]:
        """The facts by the account's name, aged to now: Unix time, and the monotonic clock's.

        Empty where unknown.
        """
        try:
            self._take_over()
        except FileNotFoundError:
            self._forget()
            self.complaint = self._missed(now_ms if mono_ms is None else mono_ms)
            return {}
        except OSError as error:
            self._forget()
            self.complaint = _said(f"it can't be read: {(error.strerror or 'error').lower()}")
            return {}
        self._missing_since = None
        known = {
            name: facts
            for name, figures in self._figures.items()
            if (facts := facts_at(figures, now_ms, mono_ms)) is not None
        }
        self.complaint = self._damage or _unusable(self._figures, known, now_ms, mono_ms)
        return known

    def _forget(self) -> None:
        self._stamp, self._figures, self._damage = _SAME, {}, None

    def _missed(self, now_ms: int) -> str | None:
        if self._missing_since is None or self._missing_since > now_ms:
            self._missing_since = now_ms
        if now_ms - self._missing_since < PATIENCE_MS:
            return None
        return _said("it isn't there; does the console run, and can it ask Exotel?")

    def _take_over(self) -> None:
        if _stamp_of(os.stat(self.path)) == self._stamp:  # noqa: PTH116 - called ten times a second
            return
        # A FIFO in its place must not hold up the loop.
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            body = os.read(descriptor, LARGEST + 1) if stat.S_ISREG(status.st_mode) else b""
        finally:
            os.close(descriptor)
        self._figures, self._damage = read(body, self._boot)
        self._stamp = _stamp_of(status)


def read(body: bytes, boot: str = "") -> tuple[dict[str, AccountFigures], str | None]:
    """The figures in a file's bytes, or none and what is wrong with it.

    Monotonic times of another start of the machine than `boot` are left out.
    """
    if len(body) > LARGEST:
        return {}, _said(f"it has more than {LARGEST:,} bytes")
    if not is_whole(body):
        return {}, _said(_DAMAGED)
    try:
        version = msgspec.json.decode(body, type=_Head).version
        if version > VERSION:
            problem = f"it has version {version}, this release knows version {VERSION}"
            return {}, _said(f"{problem}; run one release for both programs")
        document = msgspec.json.decode(body, type=_Document)
        if boot and document.boot == boot:
            return document.accounts, None
        replace = msgspec.structs.replace
        return {name: replace(each, mono_ms=None) for name, each in document.accounts.items()}, None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}, _said(_DAMAGED)


def facts_at(
    figures: AccountFigures, now_ms: int, mono_ms: int | None = None
) -> AccountFacts | None:
    """What rules may see of figures at a time; None before them, or when they are too old."""
    age = _age_ms(figures, now_ms, mono_ms)
    if not -SKEW_MS <= age <= LIVES_MS or figures.active < 0:
        return None
    allowed = figures.allowed if figures.allowed is None or figures.allowed >= 0 else None
    headroom = None if allowed is None else max(0, allowed - figures.active)
    return AccountFacts(figures.active, allowed, headroom, max(0, age) / 1000)


def _age_ms(figures: AccountFigures, now_ms: int, mono_ms: int | None) -> int:
    if mono_ms is None or figures.mono_ms is None:
        return now_ms - figures.at_ms
    return mono_ms - figures.mono_ms


def _unusable(
    figures: Mapping[str, AccountFigures],
    known: Mapping[str, AccountFacts],
    now_ms: int,
    mono_ms: int | None,
) -> str | None:
    """Why figures are not used, of each account that lacks them, by name."""
    lacking = sorted(figures.keys() - known.keys())
    if not lacking:
        return None
    ages = [_age_ms(figures[name], now_ms, mono_ms) for name in lacking]
    parts = [
        f"account {name} are {'from the future' if age < -SKEW_MS else f'{age // 1000:,} s old'}"
        for name, age in zip(lacking[:_MOST_NAMED], ages, strict=False)
    ]
    more = f", and of {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
    asked = ["was the clock set?"] if min(ages) < -SKEW_MS else []
    asked += ["can the console ask Exotel?"] if max(ages) >= -SKEW_MS else []
    return _said(f"the figures of {', of '.join(parts)}{more}; {' '.join(asked)}")


def _said(problem: str) -> str:
    return f"{FILE}: {problem} (rules see the account as unknown until then)"


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
