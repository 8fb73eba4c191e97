"""What the console's first page shows, on a terminal: `now`, and failures by kind: `causes`."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cli.by_itself import by_itself, by_itself_json, print_by_itself
from switchhook.cli.data import config_or_last, data_folder, is_full, steady_now_ms, store_in
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reading import reading
from switchhook.config.names import names_of
from switchhook.errors import ConfigError
from switchhook.exotel.times import MINUTE_MS
from switchhook.metrics import duration_text
from switchhook.overview.json import issue_json, pulse_json
from switchhook.overview.pulse import MINUTES, RECENT, pulse, pulse_start
from switchhook.overview.verdict import State, is_known
from switchhook.overview.verdict_api import verdict_json
from switchhook.overview.verdict_file import read_verdict
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.routes.json import hand_json
from switchhook.routes.view import hands_view
from switchhook.server.places import has_ledger, ledger_of
from switchhook.streams.issues.issues import Issue, IssueNote, IssueState, issues, trend_start
from switchhook.streams.issues.ledger import LedgerIssueHistory
from switchhook.streams.names import Names
from switchhook.streams.store import Store
from switchhook.troubles.trouble import Level
from switchhook.web.json import time_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from switchhook.cli.by_itself import ByItself
    from switchhook.routes.view import HandView
    from switchhook.streams.store import Store

_TOP = 8


def now(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show how things go: the first line of every page, the last 15 minutes, and what fails.

    What people set by hand stands beside it, with the command that ends it.

    Exit code 1 where it is not known how things are, as no console has looked lately, or this
    node's cluster has lost its database: then what the node itself has is shown. `switchhook
    capacity` says how many streams are left, `switchhook alerts` what fires.
    """
    folder = data_folder(config, data)
    away = by_itself(folder)
    if away is not None:
        _say_by_itself(folder, away, json=json)
        return 1
    now_ms = steady_now_ms(folder)
    known, state = _verdict(folder, now_ms)
    hands = _hands(folder, now_ms)
    if not json:
        _say(state, hands)
    since = pulse_start(now_ms)
    until = since + MINUTES * MINUTE_MS
    store = store_in(folder)
    shown = pulse(store.tallies(since, until), store.counts(since, until), now_ms)
    found = [each for each in _issues(store, _notes(folder), now_ms) if each.recent]
    if json:
        output.print_json(
            {
                "verdict": verdict_json(state),
                "hands": [hand_json(each) for each in hands],
                **pulse_json(shown),
                "issues": [issue_json(each) for each in found],
            }
        )
        return int(not known)
    failed, answers = shown.failed, shown.answers
    share = "no streams" if failed.share is None else f"{failed.share:.0%}"
    output.print_pairs(
        [
            (f"failed, {RECENT} min", f"{share} ({failed.some} of {failed.all} streams)"),
            ("of them", ", ".join(f"{some} {cause}" for cause, some in shown.failed_of)),
            ("answers", answers.answers),
            ("half within", None if answers.p50_ms is None else f"{answers.p50_ms} ms"),
            ("99 of 100 within", None if answers.p99_ms is None else f"{answers.p99_ms} ms"),
        ]
    )
    if found:
        output.out.print()
        _table(found[:_TOP], names_in(folder, config))
    return int(not known)


def _say_by_itself(folder: Path, away: ByItself, *, json: bool) -> None:
    """What a node knows while the database that all share is of no use, and what was said last."""
    written = read_verdict(folder)
    last = ""
    if written is not None:
        ago = duration_text(written.age_s(away.state.now_ms))
        last = f"Said last, {ago} ago: {written.state.what}"
    what = f"Unknown: {away.state.heading[:1].lower()}{away.state.heading[1:]}"
    state = State(
        level=Level.UNKNOWN,
        what=f"{what} {away.state.lasts}".strip() + ".",
        callers=away.state.callers,
        went=last,
        todo=away.state.todo,
    )
    if json:
        output.print_json({"verdict": verdict_json(state), "node": by_itself_json(away)})
        return
    print_by_itself(away)
    if last:
        output.out.print(output.plain(last), soft_wrap=True)


def _verdict(folder: Path, now_ms: int) -> tuple[bool, State]:
    """Whether it is known how things are, and what the console says or said last."""
    written = read_verdict(folder)
    todo = "Is `switchhook serve` running?"
    if is_full(folder):
        todo += (
            " The data folder's disk is full: make room on it, and restart nothing before, as what"
            " waits in memory would be lost. Callers are answered all the same."
        )
    if written is None:
        what = "Unknown: no console has looked at this data folder yet."
        return False, State(level=Level.UNKNOWN, what=what, todo=todo)
    if written.fresh(now_ms):
        return is_known(written.state), written.state
    return False, State(
        level=Level.UNKNOWN,
        what=f"Unknown: no console has looked for {duration_text(written.age_s(now_ms))}.",
        callers=f"It said last: {written.state.what}",
        todo=todo,
    )


def _hands(folder: Path, now_ms: int) -> Sequence[HandView]:
    """What people set by hand and is in force, as every page says it."""
    if not has_ledger(folder):
        return ()
    ledger = ledger_of(folder)
    try:
        return hands_view(LedgerHands(ledger).held(now_ms))
    finally:
        ledger.close()


def _by_hand(hand: HandView) -> str:
    setting = hand.setting
    until = f", until {_local(setting.until_ms)}" if setting.until_ms is not None else ""
    return (
        f"By hand: {hand.words}, since {_local(setting.since_ms)} by {setting.by}{until}:"
        f" {setting.reason}. End it: switchhook route undo {setting.id}"
    )


def _local(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S %Z}"


def _say(state: State, hands: Sequence[HandView]) -> None:
    """The first line of every page, on a terminal, and what is set by hand."""
    since = ""
    if state.since_us is not None:
        since = f" (since {_local(state.since_us // 1000)})"
    output.out.print(output.plain(f"{_SIGNS[state.level]} {state.what}{since}"))
    facts = " ".join(filter(None, (state.fault, state.callers, state.went)))
    todo = f"{state.todo} {state.tell}".strip()
    more = (f"Also: {each}" for each in state.more)
    for line in (facts, todo, *map(_by_hand, hands), *more):
        if line:
            output.out.print(output.plain(f"  {line}"))
    output.out.print()


_SIGNS = {Level.GOOD: "✓", Level.WARN: "!", Level.BAD: "✕", Level.UNKNOWN: "?"}


def causes(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List failures by what they have in common: cause, error, the bot's host, endpoint.

    Those that people resolved are left out until they return. On a node whose cluster's database is
    away they are those of its own journal, also those that people resolved, which is said above,
    with exit code 1.
    """
    folder, names = data_folder(config, data), cache(lambda: names_in(folder, config))
    with reading(folder, names) as opened:
        now_ms = steady_now_ms(folder, opened.store)
        if opened.away is None:
            notes = _notes(folder)
        else:
            notes = {}
            output.err.print("who looks after them or resolved them is not known meanwhile")
        found = _issues(opened.store, notes, now_ms)
        if json:
            for each in found:
                output.print_json(issue_json(each))
            return opened.code()
        left = [each for each in found if each.state is not IssueState.RESOLVED]
        if left:
            _table(left, names())
        else:
            output.out.print("nothing failed that is not resolved")
        return opened.code()


def names_in(folder: Path, file: str | None) -> Names:
    """What the operator calls things: by a file, else by what ran last on the data folder.

    Reading needs no names: where neither can be read, that is said, and hosts stand for them.
    """
    try:
        return names_of(config_or_last(folder, file))
    except (ConfigError, OSError) as error:
        output.err.print(output.plain(f"bots have no names here: {error}"))
        return Names()


def _table(found: list[Issue], names: Names) -> None:
    output.print_table(
        ("CAUSE", "ERROR", "BOT", "ENDPOINT", "STATE", "24 H", "ALL", "LAST"),
        (
            (
                output.cause_text(each.fingerprint.cause),
                each.fingerprint.kind or None,
                names.bot_name(each.fingerprint.host, each.fingerprint.endpoint) or None,
                each.fingerprint.endpoint,
                each.state.value,
                each.recent,
                each.streams,
                output.day_clock(time_of(each.last_ms * 1000)),
            )
            for each in found
        ),
    )


def _notes(folder: Path) -> dict[str, IssueNote]:
    """What people said of failures last."""
    if not has_ledger(folder):
        return {}
    ledger = ledger_of(folder)
    try:
        return LedgerIssueHistory(ledger).latest()
    finally:
        ledger.close()


def _issues(store: Store, notes: Mapping[str, IssueNote], now_ms: int) -> list[Issue]:
    tallies = store.tallies(trend_start(now_ms), now_ms + 1, hours=True)
    return issues(store.uses(), tallies, notes, now_ms)
