"""The facts file: what the console tells the answer process, which asks nobody.

One small file in the data folder, replaced whole. Several parts of the console write it, each its
own share, and none overwrites another's:

    file = FactsFile(data_folder, boot)
    file.tell(readings, now_ms, mono_ms)              # the accounts' figures, by each new one
    file.tell_hands(hands, now_ms)                    # what people set, at each change
    file.tell_flags(settings, now_ms)                 # what flags are set to, likewise
    file.tell_rollouts(rollouts, as_of_ms, as_of_mono_ms)  # shares, each second or sooner
    file.tell_members(node, members, now_ms, mono_ms)  # of pools, each second
    file.tell_budgets(node, budgets, now_ms, mono_ms)  # of admission, each second or sooner

The answer process looks every 100 ms; where the file is the same as before that is one `stat`:

    reader = FactsReader(data_folder, boot, node)
    accounts, routing = reader.look(now_ms, mono_ms)  # {"main": Facts(71, 100, 29, 0.4)}, ...
    facts = accounts.get("main", Facts())  # what isn't told is unknown, never zero
    reader.complaint                       # None, or what is wrong, in a sentence
    reader.unwatched                       # None, or which rollouts nobody watches any more

Where nothing is to be told there is no file, and nobody should look. Whatever is wrong with it
(missing, damaged, newer, old, from the future), its facts are unknown, which rules can tell from
zero. Hands and flags are no facts but acts: they stay in force until the file says otherwise. What
the file holds, and how its ages are reckoned, is in `facts_document`.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from typing import TYPE_CHECKING

import msgspec

from switchhook.capacity.facts_document import (
    FILE,
    LARGEST,
    NOTHING,
    VERSION,
    AccountFigures,
    Document,
    Moment,
    Node,
    decode,
    facts_at,
    ran_out,
    routing_at,
    said,
    unusable,
    unwatched,
)
from switchhook.checked_json import with_checksum

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from switchhook.capacity.readings import Reading
    from switchhook.rules.flags import FlagSetting
    from switchhook.rules.rollout import Rollout
    from switchhook.rules.routing import AdmissionBudget, HandSetting, MemberFacts, RoutingFacts
    from switchhook.rules.variables import AccountFacts

LOOK_S = 0.1
PATIENCE_MS = 15_000
"""How long a missing file is no reason to complain: the console may be starting."""
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
        self._told: Document | None = None

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

    def tell_flags(self, settings: Iterable[FlagSetting], now_ms: int) -> None:
        """Say what all flags are set to that are not as they are declared."""
        with self._lock:
            self._replace(now_ms, flags={each.flag: each for each in settings})

    def tell_rollouts(self, rollouts: Iterable[Rollout], as_of_ms: int, as_of_mono_ms: int) -> None:
        """Say which candidates decide for which share of the callers.

        `as_of_ms` is the moment up to which the console had followed the journal, also by the
        monotonic clock: a rollout lives 300 s from then, so that none goes on unwatched.
        """
        moment = Moment(as_of_ms, as_of_mono_ms)
        with self._lock:
            self._replace(as_of_ms, rollouts=tuple(rollouts), rollouts_told=moment)

    def tell_members(
        self,
        node: int,
        members: Mapping[str, Mapping[str, MemberFacts]],
        now_ms: int,
        mono_ms: int,
    ) -> None:
        """Say to an answer process how the members of all pools are, by pool and name."""
        told = {pool: dict(each) for pool, each in members.items()}
        self._tell_node(node, now_ms, members=told, members_told=Moment(now_ms, mono_ms))

    def tell_budgets(
        self, node: int, budgets: Mapping[str, AdmissionBudget], now_ms: int, mono_ms: int
    ) -> None:
        """Say to an answer process what it may admit, by account."""
        moment = Moment(now_ms, mono_ms)
        self._tell_node(node, now_ms, budgets=dict(budgets), budgets_told=moment)

    def tell_all(self, document: Document, now_ms: int) -> None:
        """Say all of it at once, in the place of what was told."""
        with self._lock:
            told = msgspec.structs.replace(document, version=VERSION, boot=self._boot)
            self._told = msgspec.structs.replace(told, written_ms=0)
            self._replace(now_ms)

    def nodes(self) -> None:
        """There is the node alone whose folder it is in."""

    def before(self) -> dict[int, Node]:
        """What a node was told before us: it is in force until we say otherwise."""
        return {}

    def show(self, name: str, body: bytes) -> None:
        """Have commands on other nodes show it: there are none."""

    def close(self) -> None:
        """End it: nothing is held open."""

    def _tell_node(self, node: int, now_ms: int, **changed: object) -> None:
        with self._lock:
            nodes = dict(self._before().nodes)
            nodes[node] = msgspec.structs.replace(nodes.get(node, Node()), **changed)
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

    def _before(self) -> Document:
        """What is told now: by us, or by whoever wrote the file that we found."""
        if self._told is None:
            try:
                found, _ = decode(_content(self.path)[0], self._boot)
            except OSError:
                found = NOTHING
            self._told = msgspec.structs.replace(found, version=VERSION, boot=self._boot)
        return self._told


class FactsReader:
    """The side that looks; it never raises, and reads the file only when it was replaced."""

    def __init__(self, folder: Path, boot: str = "", node: int = 0) -> None:
        self.path, self._boot, self._node = folder / FILE, boot, node
        self.complaint: str | None = None
        self.unwatched: str | None = None
        self._stamp = _SAME
        self._document = NOTHING
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
            return {}, routing_at(self._document, self._node, now_ms, mono_ms)
        except OSError as error:
            self._forget(None)
            self._stamp = _SAME
            self.complaint = said(f"it can't be read: {(error.strerror or 'error').lower()}")
            return {}, routing_at(self._document, self._node, now_ms, mono_ms)
        self._missing_since = None
        figures = self._document.accounts
        known = {
            name: facts
            for name, each in figures.items()
            if (facts := facts_at(each, now_ms, mono_ms)) is not None
        }
        routing = routing_at(self._document, self._node, now_ms, mono_ms)
        self.unwatched = unwatched(self._document, routing, now_ms, mono_ms)
        self.complaint = (
            self._damage
            or unusable(figures, known, now_ms, mono_ms)
            or ran_out(self._document, self._node, routing, now_ms, mono_ms)
        )
        return known, routing

    def _forget(self, damage: str | None) -> None:
        """Know nothing; what people set holds, as no file took it back."""
        before = self._document
        self.unwatched = None
        self._document = msgspec.structs.replace(NOTHING, hands=before.hands, flags=before.flags)
        self._damage = damage

    def _missed(self, now_ms: int) -> str | None:
        if self._missing_since is None or self._missing_since > now_ms:
            self._missing_since = now_ms
        if now_ms - self._missing_since < PATIENCE_MS:
            return None
        return said("it isn't there; does the console run, and can it ask Exotel?")

    def _take_over(self) -> None:
        if _stamp_of(os.stat(self.path)) == self._stamp:  # noqa: PTH116 - called ten times a second
            return
        body, status = _content(self.path)
        document, damage = decode(body, self._boot)
        if damage is None:
            self._document, self._damage = document, None
        else:
            self._forget(damage)
        self._stamp = _stamp_of(status)


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """A file's bytes, up to one more than it may have. Raises OSError."""
    # A FIFO in its place must not hold up the loop.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        return os.read(descriptor, LARGEST + 1) if stat.S_ISREG(status.st_mode) else b"", status
    finally:
        os.close(descriptor)


def _stamp_of(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
