"""The text of a subject as the data folder keeps it: what runs, what ran, what was undone. Pure.

A subject is an endpoint's rules (`rules/<endpoint>`) or all `pools`. What runs of it comes from the
operator's file, which is in force once it checks out, or from a release. A text that was released
or undone while the file held another is not overruled by that file until it holds something else.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1
UNDO = "undo: "
"""Begins what is said of who brought a text that was gone back to."""
_ON = " on "
MOST_KEPT = 50
"""Take-overs in a history."""
MOST_TEXT = 4_000_000
"""Characters of all texts in a history."""


class TakenOver(msgspec.Struct, frozen=True):
    """One take-over: a text that ran from `at` (ISO 8601, UTC) on, and who brought it.

    `number` counts from 1; `before` is the number of what an undo goes back to. `release` is the
    number of the release that it was put in place as, 0 where a file brought it.
    """

    number: int
    hash: str
    at: str
    by: str
    text: str
    before: int | None = None
    release: int = 0


class KeptRules(msgspec.Struct, frozen=True):
    """The rules of an endpoint: what runs, what ran, and what was undone.

    `file` is where they came from last, empty for an endpoint that has none, whose rules were
    released; `undone` are hashes of texts that are not taken over as long as the file holds nothing
    else. `aside` is whether the configuration names no file any more: the built-in rules run, and
    what is kept waits until it does again.
    """

    file: str
    running: int
    history: tuple[TakenOver, ...]
    undone: tuple[str, ...] = ()
    format: int = FORMAT
    aside: bool = False

    def __post_init__(self) -> None:
        if self.entry(self.running) is None:
            raise ValueError("what runs is not in the history")

    def entry(self, number: int | None) -> TakenOver | None:
        return next((each for each in self.history if each.number == number), None)

    @property
    def current(self) -> TakenOver:
        """What runs, unless it is `aside`."""
        entry = self.entry(self.running)
        assert entry is not None
        return entry


class KeptPools(KeptRules, frozen=True):
    """The pools: what runs and what ran, as `rules.pools_text` writes them.

    `written` is what the configuration said of them when that was last looked at, by which an edit
    of it is told from a release; None where nobody has looked yet.
    """

    written: str | None = None


class Candidate(msgspec.Struct, frozen=True):
    """A release that decides for a share of the callers of a subject, beside the running one.

    `number` is the release's, `hash` the SHA-256 of `text` in hex; `beside` the hash of what ran
    when it was proposed, empty for the built-in. Beside anything else it decides for nobody.
    """

    number: int
    hash: str
    text: str
    beside: str = ""
    format: int = FORMAT

    @property
    def whole(self) -> bool:
        """Whether the text is the one that was proposed."""
        return hash_of(self.text) == self.hash


Kept = TypeVar("Kept", bound=KeptRules)


def settle(kept: KeptRules | None, found: TakenOver, file: str) -> KeptRules:
    """What is kept once `file` was seen to hold rules that check out.

    `found` has their text, with no number yet. An undone text is not taken over again until the
    file has held another.
    """
    if kept is None:
        first = msgspec.structs.replace(found, number=1)
        return KeptRules(file, 1, (first,))
    if found.hash == kept.current.hash:
        return msgspec.structs.replace(kept, file=file, undone=(), aside=False)
    if found.hash in kept.undone:
        return msgspec.structs.replace(kept, file=file, aside=False)
    return msgspec.structs.replace(_then(kept, found, kept.running), file=file, undone=())


def settle_pools(kept: KeptPools | None, found: TakenOver, written: str, file: str) -> KeptPools:
    """What is kept once the configuration was seen to say `written` of the pools.

    `found` is what runs by that, an edit of the configuration laid over what was released.
    """
    if kept is None:
        first = msgspec.structs.replace(found, number=1)
        return KeptPools(file, 1, (first,), written=written)
    if found.hash != kept.current.hash:
        kept = _then(kept, found, kept.running)
    return msgspec.structs.replace(kept, file=file, written=written)


def put(kept: Kept, found: TakenOver, *, in_file: str | None) -> Kept:
    """What is kept once a release was put in place, whatever the file holds.

    `found` has its text, with no number yet; `in_file` is the hash of what the file holds now, None
    where there is none or it can't be read. A text that ran before is gone back to, so that an undo
    goes on from there.
    """
    runs = None if kept.aside else kept.current
    if runs is not None and runs.hash == found.hash:
        if runs.release == found.release:
            return kept
        return _then(kept, found, runs.before)
    before = None
    if runs is not None:
        earlier = next((each for each in way_back(kept) if each.hash == found.hash), None)
        before = kept.running if earlier is None else earlier.before
    undone: set[str] = set()
    if kept.file and not kept.aside and not isinstance(kept, KeptPools):
        # Where the file is broken just now, what it held comes back once it is mended.
        held = {in_file, kept.current.hash if not kept.current.release else None}
        undone = {*kept.undone, *filter(None, held)} - {found.hash}
    file = "" if kept.aside else kept.file
    new = _then(kept, found, before)
    return msgspec.structs.replace(new, file=file, undone=tuple(sorted(undone)), aside=False)


def undo(kept: Kept, *, in_file: str | None, at: str, by: str) -> Kept | None:
    """Go back to the text before the running one; None where there is none before.

    `in_file` is the hash of what the file holds now, None where it can't be read.
    """
    target = kept.entry(kept.current.before)
    if target is None:
        return None
    return put(kept, msgspec.structs.replace(target, at=at, by=by), in_file=in_file)


def is_undone(by: str) -> bool:
    """Whether what runs was gone back to, by who brought it."""
    return by.startswith(UNDO)


def of_a_node(by: str, name: str) -> str:
    """Who brought what a node offers to all others."""
    return f"{by}{_ON}{name}"


def is_of_a_node(by: str) -> bool:
    """Whether another node's file was put in place here, by who brought it."""
    return _ON in by


def overruled_text(file: str, by: str, release: int, what: str = "rules") -> str:
    """Why a file that checks out does not run: what runs instead, by who brought that.

    On a node of a cluster the file of another may have been put in its place.
    """
    if release:
        said = f"{file} still holds other {what} than release {release}, which runs"
        return f"{said}; an edit brings all of it into force" if what == "rules" else said
    if is_undone(by):
        return f"{file} still holds what was undone"
    return f"{file} holds other {what} than all nodes run, which came by a {by}"


def _then(kept: Kept, found: TakenOver, before: int | None) -> Kept:
    """What is kept once something else runs; an undo of it goes back to `before`."""
    number = kept.history[-1].number + 1
    entry = msgspec.structs.replace(found, number=number, before=before)
    history = bounded((*kept.history, entry))
    return msgspec.structs.replace(kept, running=number, history=history)


def way_back(kept: KeptRules) -> Iterator[TakenOver]:
    """What runs, and what undos would come to, the nearest first."""
    entry: TakenOver | None = kept.current
    seen: set[int] = set()
    while entry is not None and entry.number not in seen:
        yield entry
        seen.add(entry.number)
        entry = kept.entry(entry.before)


def bounded(history: tuple[TakenOver, ...]) -> tuple[TakenOver, ...]:
    """The newest of a history, within the bounds, and always the last and what it undoes to."""
    last = history[-1]
    room, texts = MOST_KEPT, MOST_TEXT
    kept: list[TakenOver] = []
    for entry in reversed(history):
        needed = entry is last or entry.number == last.before
        if needed or (room > 0 and texts >= len(entry.text)):
            kept.append(entry)
        room, texts = room - 1, texts - len(entry.text)
    return tuple(reversed(kept))


def salvage(content: bytes, kind: type[Kept]) -> Kept | None:
    """What is sure of damaged texts: from the newest on that has the hash noted beside it.

    That of the one that runs, else of those it would be undone to, and so on; None without any.
    """
    try:
        kept = msgspec.json.decode(content, type=kind)
    except (ValueError, RecursionError):
        return None
    sure = {each.number: each for each in kept.history if hash_of(each.text) == each.hash}
    found = next((each for each in way_back(kept) if each.number in sure), None)
    if found is None:
        return None
    before = found.before if found.before in sure else None
    entry = msgspec.structs.replace(found, before=before)
    history = (*(each for each in sure.values() if each.number < found.number), entry)
    return msgspec.structs.replace(kept, running=found.number, history=history)


def hash_of(text: str) -> str:
    """The SHA-256 of a text in hex, by which a release is named."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
