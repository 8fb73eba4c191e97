"""What is known of endpoints without asking them: rules files, secrets' ages, requests."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.files import read_whole, words
from switchhook.config.kept_text import is_undone, overruled_text
from switchhook.config.last_good import KeptFolder
from switchhook.config.rules_terms import terms_of
from switchhook.errors import ConfigError, SwitchhookError
from switchhook.journal import JournalReader
from switchhook.journal.receipt import RecordKind, decode_receipt
from switchhook.rules.decide import Option
from switchhook.system.data_folder import JOURNAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from switchhook.config import Config, EndpointConfig

HOUR_MS = 3_600_000
_BATCH = 1000


class RulesState(msgspec.Struct, frozen=True):
    """A rules file beside what runs: built-in, in force, changed, undone, refused or missing.

    That is its `state`. One in force has a `problem` where it holds a rule that can't be what was
    meant; an undone one still holds what `rules undo` took back.
    """

    state: str
    problem: str = ""


class Asked(msgspec.Struct):
    """What an endpoint was asked in a stretch, and when last, in Unix ms."""

    requests: int = 0
    to_b: int = 0
    last_ms: int | None = None


class Traffic(msgspec.Struct, frozen=True):
    """By endpoint; `since_ms` is where the look back ended where time ran out before the hour."""

    endpoints: dict[str, Asked]
    since_ms: int | None = None


def rules_state(folder: Path, config: Config, point: EndpointConfig) -> RulesState:
    """How an endpoint's rules file stands to what runs, or ran last, on a data folder."""
    if point.rules is None:
        return _without_file(folder, point.name)
    try:
        text = read_whole(point.rules)
    except OSError as error:
        return RulesState("missing", f"{point.rules} can't be read: {words(error)}")
    doubtful, terms = "", terms_of(config, point)
    try:
        terms.load(text, file=point.rules, strict=True)
    except ConfigError as error:
        doubtful = str(error)
        if not terms.takes(text):
            return RulesState("refused", doubtful)
    try:
        kept = KeptFolder(folder).rules(point.name)
    except (OSError, SwitchhookError) as error:
        return RulesState("unknown", f"what runs can't be read: {error}")
    if kept is None:
        return RulesState("changed", f"{point.rules} was not taken over yet")
    if kept.current.text.encode() == text:
        return RulesState("in force", doubtful)
    if hashlib.sha256(text).hexdigest() in kept.undone:
        runs = kept.current
        problem = overruled_text(point.rules, runs.by, runs.release)
        released = bool(runs.release) or not is_undone(runs.by)
        return RulesState("released" if released else "undone", problem)
    problem = f"{point.rules} holds other rules than run: `switchhook rules show {point.name}`"
    return RulesState("changed", problem)


def _without_file(folder: Path, endpoint: str) -> RulesState:
    """How an endpoint stands that names no file: its rules are built in, unless released."""
    try:
        kept = KeptFolder(folder).rules(endpoint)
    except (OSError, SwitchhookError) as error:
        return RulesState("unknown", f"what runs can't be read: {error}")
    released = kept is not None and not kept.file and not kept.aside
    return RulesState("released" if released else "built-in")


def secret_files(config: Config) -> dict[str, tuple[Path, ...]]:
    """The files that an endpoint's secrets are in, by the endpoint; nothing where none is."""
    try:
        document = tomllib.loads(read_whole(config.file).decode().removeprefix("\ufeff"))
    except (OSError, ValueError):
        return {}
    folder = Path(config.file).parent
    found = {}
    for name, table in document.get("endpoints", {}).items():
        files = table.get("secret_files", ()) if isinstance(table, dict) else ()
        named = [files] if isinstance(files, str) else files
        found[name] = tuple(folder / each for each in named if isinstance(each, str))
    return found


def ages_s(files: tuple[Path, ...], now_s: float) -> tuple[float, ...]:
    """How long ago each file was changed, those that are there."""
    found = []
    for file in files:
        try:
            found.append(max(now_s - file.stat().st_mtime, 0.0))
        except OSError:
            continue
    return tuple(found)


def traffic(folder: Path, now_ms: int, spent: Callable[[], bool]) -> Traffic:
    """What callers asked in the last hour, newest first until `spent`. Raises SwitchhookError."""
    found: dict[str, Asked] = {}
    since_ms, before = now_ms - HOUR_MS, None
    journal = JournalReader(folder / JOURNAL)
    try:
        while records := journal.read_back(before, _BATCH):
            before = records[-1].seq
            for record in records:
                if record.damage or record.kind != RecordKind.PASSTHRU:
                    continue
                if record.at < since_ms:
                    return Traffic(found)
                try:
                    receipt = decode_receipt(record.body)
                except ValueError:
                    continue
                asked = found.setdefault(receipt.endpoint, Asked())
                asked.requests += 1
                asked.to_b += receipt.decision.option is Option.B
                asked.last_ms = max(asked.last_ms or 0, record.at)
            if spent():
                return Traffic(found, records[-1].at)
    finally:
        journal.close()
    return Traffic(found)
