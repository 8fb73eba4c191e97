"""The facts file: what the console tells the answer process, which asks nobody.

One small file in the data folder, replaced whole. Several parts of the console write it, each its
own share, and none overwrites another's:

    file = FactsFile(data_folder, boot)
    file.tell(readings, now_ms, mono_ms)              # the accounts' figures, by each new one
    file.tell_hands(hands, now_ms)                    # what people set, at each change
    file.tell_members(node, members, now_ms, mono_ms)  # of pools, each second
    file.tell_budgets(node, budgets, now_ms, mono_ms)  # of admission, each second or sooner

The answer process looks every 100 ms; where the file is the same as before that is one `stat`:

    reader = FactsReader(data_folder, boot, node)
    accounts, routing = reader.look(now_ms, mono_ms)  # {"main": Facts(71, 100, 29, 0.4)}, ...
    facts = accounts.get("main", Facts())  # what isn't told is unknown, never zero
    reader.complaint                       # None, or what is wrong, in a sentence

Where nothing is to be told there is no file, and nobody should look. Whatever is wrong with it
(missing, damaged, newer, old, from the future), its facts are unknown, which rules can tell from
zero. Hands are no facts but acts: they stay in force until the file says otherwise.

A figure's age goes by the monotonic clock, which both processes share while `boot`, the start of
the machine, is the same; else by the system's.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

import msgspec

from switchhook.checked_json import is_whole, with_checksum
from switchhook.rules.routing import (
    NOTHING_KNOWN,
    AdmissionBudget,
    HandSetting,
    MemberFacts,
    RoutingFacts,
    lasting_members,
)
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from switchhook.capacity.readings import Reading

FILE = "facts.json"
VERSION = 2
LARGEST = 256 * 1024
LIVES_MS = 60_000
"""How long a figure may be used after it was learnt, and a member's health after it was told."""
BUDGETS_LIVE_MS = 5_000
"""How long a budget may be used after it was told."""
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


class _Moment(msgspec.Struct, frozen=True):
    """When something was told, by both clocks."""

    at_ms: int = 0
    mono_ms: int | None = None


class _Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one answer process is told alone: members by pool, budgets by account."""

    members: dict[str, dict[str, MemberFacts]] = {}
    members_told: _Moment = _Moment()
    budgets: dict[str, AdmissionBudget] = {}
    budgets_told: _Moment = _Moment()


class _Document(msgspec.Struct, frozen=True, omit_defaults=True):
    version: int
    written_ms: int
    accounts: dict[str, AccountFigures]
    boot: str = ""
    hands: tuple[HandSetting, ...] = ()
    nodes: dict[int, _Node] = {}


class _Head(msgspec.Struct, frozen=True):
    """What every version begins with."""

    version: int


_MOST_NAMED = 5
_DAMAGED = "it is damaged; the console replaces it by its next figure"
_NOTHING = _Document(VERSION, 0, {})
_SAME = (0, 0, 0)
"""No file has this stamp: its inode would be 0."""


class FactsFile:
    """The side that writes: one process, any of its threads.

    What an earlier one told stays until it is told anew, so that a restart lets go of no hand. All
    of its methods replace the file and raise OSError, also where it would be too large; what is
    in force then runs out by itself, or holds. It is not synced: after a crash of the machine the
    console tells all of it again.
    """

    def __init__(self, folder: Path, boot: str = "") -> None:
        self.path, self._boot = folder / FILE, boot
        self._fresh = folder / f"{FILE}.new"
        self._lock = threading.Lock()
        self._told: _Document | None = None

    def tell(self, readings: Iterable[Reading], now_ms: int, mono_ms: int) -> None:
        """Say what was read last of each account."""
        figures = {
            each.account: AccountFigures(
                each.at_ms, each.active, each.allowed, mono_ms - (now_ms - each.at_ms)
            )
            for each in readings
            if each.active is not None
        }
        self.write(figures, now_ms)

    def write(self, accounts: Mapping[str, AccountFigures], now_ms: int) -> None:
        """Say the figures of all accounts."""
        with self._lock:
            self._replace(now_ms, accounts=dict(accounts))

    def tell_hands(self, hands: Iterable[HandSetting], now_ms: int) -> None:
        """Say all that people set and that is in force."""
        with self._lock:
            self._replace(now_ms, hands=tuple(hands))

    def tell_members(
        self,
        node: int,
        members: Mapping[str, Mapping[str, MemberFacts]],
        now_ms: int,
        mono_ms: int,
    ) -> None:
        """Say to an answer process how the members of all pools are, by pool and name."""
        told = {pool: dict(each) for pool, each in members.items()}
        self._tell_node(node, now_ms, members=told, members_told=_Moment(now_ms, mono_ms))

    def tell_budgets(
        self, node: int, budgets: Mapping[str, AdmissionBudget], now_ms: int, mono_ms: int
    ) -> None:
        """Say to an answer process what it may admit, by account."""
        moment = _Moment(now_ms, mono_ms)
        self._tell_node(node, now_ms, budgets=dict(budgets), budgets_told=moment)

    def _tell_node(self, node: int, now_ms: int, **changed: object) -> None:
        with self._lock:
            nodes = dict(self._before().nodes)
            nodes[node] = msgspec.structs.replace(nodes.get(node, _Node()), **changed)
            self._replace(now_ms, nodes=nodes)

    def _replace(self, now_ms: int, **changed: object) -> None:
        document = msgspec.structs.replace(self._before(), written_ms=now_ms, **changed)
        body = with_checksum(msgspec.json.encode(document))
        if len(body) > LARGEST:
            raise OSError(errno.EFBIG, f"{FILE} would have more than {LARGEST:,} bytes")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        descriptor = os.open(self._fresh, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(body)
        self._fresh.replace(self.path)
        self._told = document

    def _before(self) -> _Document:
        """What is told now: by us, or by whoever wrote the file that we found."""
        if self._told is None:
            try:
                found, _ = _decode(_content(self.path)[0], self._boot)
            except OSError:
                found = _NOTHING
            self._told = msgspec.structs.replace(found, version=VERSION, boot=self._boot)
        return self._told


class FactsReader:
    """The side that looks; it never raises, and reads the file only when it was replaced."""

    def __init__(self, folder: Path, boot: str = "", node: int = 0) -> None:
        self.path, self._boot, self._node = folder / FILE, boot, node
        self.complaint: str | None = None
        self._stamp = _SAME
        self._document = _NOTHING
        self._damage: str | None = None
        self._missing_since: int | None = None

    def look(
        self, now_ms: int, mono_ms: int | None = None
    ) -> tuple[dict[str, AccountFacts], RoutingFacts]:
        """What is known at a time, in Unix time and by the monotonic clock.

        The facts by the account's name, aged to then, and what routes calls. What is unknown is
        not in them; hands are those that were read last.
        """
        try:
            self._take_over()
        except FileNotFoundError:
            self._forget(None)
            self._stamp = _SAME
            self.complaint = self._missed(now_ms if mono_ms is None else mono_ms)
            return {}, self._routing(now_ms, mono_ms)
        except OSError as error:
            self._forget(None)
            self._stamp = _SAME
            self.complaint = _said(f"it can't be read: {(error.strerror or 'error').lower()}")
            return {}, self._routing(now_ms, mono_ms)
        self._missing_since = None
        figures = self._document.accounts
        known = {
            name: facts
            for name, each in figures.items()
            if (facts := facts_at(each, now_ms, mono_ms)) is not None
        }
        routing = self._routing(now_ms, mono_ms)
        self.complaint = (
            self._damage
            or _unusable(figures, known, now_ms, mono_ms)
            or self._ran_out(routing, now_ms, mono_ms)
        )
        return known, routing

    def _routing(self, now_ms: int, mono_ms: int | None) -> RoutingFacts:
        document = self._document
        node = document.nodes.get(self._node)
        if node is None:
            return RoutingFacts(hands=document.hands) if document.hands else NOTHING_KNOWN
        return RoutingFacts(
            hands=document.hands,
            members=(
                node.members
                if _lives(node.members_told, LIVES_MS, now_ms, mono_ms)
                else lasting_members(node.members)
            ),
            budgets=(
                node.budgets if _lives(node.budgets_told, BUDGETS_LIVE_MS, now_ms, mono_ms) else {}
            ),
        )

    def _ran_out(self, routing: RoutingFacts, now_ms: int, mono_ms: int | None) -> str | None:
        """What is said of budgets that are too old, or from the future."""
        node = self._document.nodes.get(self._node)
        if node is None or not node.budgets or routing.budgets:
            return None
        age = _age_ms(node.budgets_told, now_ms, mono_ms)
        when = "in the future" if age < -SKEW_MS else f"{age // 1000:,} s ago"
        return _said(f"what may be admitted was told {when}; does the console run?")

    def _forget(self, damage: str | None) -> None:
        """Know nothing; what people set holds, as no file took it back."""
        self._document = msgspec.structs.replace(_NOTHING, hands=self._document.hands)
        self._damage = damage

    def _missed(self, now_ms: int) -> str | None:
        if self._missing_since is None or self._missing_since > now_ms:
            self._missing_since = now_ms
        if now_ms - self._missing_since < PATIENCE_MS:
            return None
        return _said("it isn't there; does the console run, and can it ask Exotel?")

    def _take_over(self) -> None:
        if _stamp_of(os.stat(self.path)) == self._stamp:  # noqa: PTH116 - called ten times a second
            return
        body, status = _content(self.path)
        document, damage = _decode(body, self._boot)
        if damage is None:
            self._document, self._damage = document, None
        else:
            self._forget(damage)
        self._stamp = _stamp_of(status)


def read(body: bytes, boot: str = "") -> tuple[dict[str, AccountFigures], str | None]:
    """The figures in a file's bytes, or none and what is wrong with it.

    Monotonic times of another start of the machine than `boot` are left out.
    """
    document, damage = _decode(body, boot)
    return document.accounts, damage


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """A file's bytes, up to one more than it may have. Raises OSError."""
    # A FIFO in its place must not hold up the loop.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        return os.read(descriptor, LARGEST + 1) if stat.S_ISREG(status.st_mode) else b"", status
    finally:
        os.close(descriptor)


def _decode(body: bytes, boot: str) -> tuple[_Document, str | None]:
    """What is in a file's bytes, or nothing and what is wrong with it."""
    if len(body) > LARGEST:
        return _NOTHING, _said(f"it has more than {LARGEST:,} bytes")
    if not is_whole(body):
        return _NOTHING, _said(_DAMAGED)
    try:
        version = msgspec.json.decode(body, type=_Head).version
        if version > VERSION:
            problem = f"it has version {version}, this release knows version {VERSION}"
            return _NOTHING, _said(f"{problem}; run one release for both programs")
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _NOTHING, _said(_DAMAGED)
    return (document if boot and document.boot == boot else _by_the_system_clock(document)), None


def _by_the_system_clock(document: _Document) -> _Document:
    """The same without monotonic times, which are of another start of the machine."""
    replace = msgspec.structs.replace
    return replace(
        document,
        accounts={name: replace(each, mono_ms=None) for name, each in document.accounts.items()},
        nodes={
            number: replace(
                each,
                members_told=replace(each.members_told, mono_ms=None),
                budgets_told=replace(each.budgets_told, mono_ms=None),
            )
            for number, each in document.nodes.items()
        },
    )


def _lives(told: _Moment, lives_ms: int, now_ms: int, mono_ms: int | None) -> bool:
    return -SKEW_MS <= _age_ms(told, now_ms, mono_ms) <= lives_ms


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


def _age_ms(figures: AccountFigures | _Moment, now_ms: int, mono_ms: int | None) -> int:
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
