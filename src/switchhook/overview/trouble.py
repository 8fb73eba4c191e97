"""All that may be wrong, as the verdict tells it.

Bots, limits and callers go by the judges of their streams, the clock and the parts of the console
by themselves; everything else by the alerts that fire.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.alert import Alert
from switchhook.alerts.alert_rule import Severity
from switchhook.capacity.status import CapacityNow
from switchhook.errors import sentence
from switchhook.journal.steady_time import Step, step_text
from switchhook.metrics import Figure, duration_text
from switchhook.streams.names import Names
from switchhook.streams.recent import AttributedTally
from switchhook.troubles.at_fault import AtFault
from switchhook.troubles.metrics import JUDGED, key_of
from switchhook.troubles.outcomes import Measure, Subject
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Standings, Trouble, troubles_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.alerts.quiet import Silence


class Failing(msgspec.Struct, frozen=True):
    """A part of the console that fails: what is wrong, and how to mend it, each a sentence's part.

    Neither names a file of this machine.
    """

    problem: str
    hint: str


class Press(msgspec.Struct, frozen=True, kw_only=True):
    """What one press sets by hand: its words, the act, and what that is about."""

    words: str
    act: str
    pool: str
    to: str = ""
    member: str = ""
    state: str = ""


class VerdictInput(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is made of.

    `late` are the streams of the last quarter of an hour, `last_ms` is when a stream was last told
    of, None where there never was one; `known` are the troubles of alerts in words; `failing` are
    the parts of the console that fail now, `step` a step of the system's clock that goes on, or was
    over only lately. `presses` has the press that mends a trouble by its key,
    `at_fault` what fails of bots that are pools, by their names.
    """

    figures: Sequence[Figure] = ()
    capacity: Sequence[CapacityNow] = ()
    standings: Standings = {}
    late: Sequence[AttributedTally] = ()
    alerts: Sequence[Alert] = ()
    known: Sequence[Trouble] = ()
    silences: Sequence[Silence] = ()
    names: Names = Names()
    last_ms: int | None = None
    failing: Sequence[Failing] = ()
    step: Step | None = None
    presses: Mapping[str, Press] = {}
    at_fault: Mapping[str, AtFault] = {}


def find_troubles(seen: VerdictInput, now_ms: int) -> Iterable[Trouble]:
    """All that is wrong, in no order."""
    in_hand = {
        key_of(alert.figure, alert.labels): said
        for alert in seen.alerts
        if alert.firing and (said := _in_hand(alert, seen.silences, now_ms))
    }
    judged = troubles_of(seen.standings, seen.names, seen.capacity, now_ms, seen.at_fault)
    for trouble in judged:
        yield _calmed(trouble, in_hand.get(trouble.key, ""))
    yield from map(_ourselves, seen.failing)
    if seen.step is not None:
        yield _clock(seen.step)
    firing = {key_of(each.figure, each.labels) for each in seen.alerts if each.firing}
    covered = {key for each in seen.known if each.key in firing for key in each.covers}
    limited = any(subject.measure is Measure.LIMIT for subject in seen.standings)
    for alert in seen.alerts:
        told = (alert.figure in _JUDGED and not _of_node(alert)) or (
            limited and alert.topic == "limit"
        )
        told = told or key_of(alert.figure, alert.labels) in covered or _of_told(alert, seen)
        if alert.firing and alert.clear_ms is None and not told:
            said = _in_hand(alert, seen.silences, now_ms)
            for each in _alerted(alert, seen.known):
                yield _calmed(_as_known(each, alert, now_ms), said)


def _of_node(alert: Alert) -> bool:
    """Whether it is about another machine than that whose parts tell of themselves."""
    return any(name == "node" for name, _ in alert.labels)


def _as_known(trouble: Trouble, alert: Alert, now_ms: int) -> Trouble:
    """A trouble as it was when its node was last heard of, where that is away."""
    if alert.unknown_ms is None:
        return trouble
    ago = duration_text(max(now_ms - alert.unknown_ms, 0) / 1000)
    said = f"So it was {ago} ago: its node is away since."
    return msgspec.structs.replace(trouble, callers=f"{said} {trouble.callers}".strip())


def _of_told(alert: Alert, seen: VerdictInput) -> bool:
    """Whether an alert of a pool is told by more: its bot's trouble, or that all members fail."""
    if alert.figure not in ("pool.degraded", "member.out"):
        return False
    pool = dict(alert.labels).get("pool", "")
    if Subject(Measure.BOT_FAILS, pool) in seen.standings:
        return True
    return alert.figure == "member.out" and any(
        each.firing and each.figure == "pool.degraded" and dict(each.labels).get("pool") == pool
        for each in seen.alerts
    )


def _in_hand(alert: Alert, silences: Sequence[Silence], now_ms: int) -> str:
    """Who has an alert in hand, as a sentence; empty where nobody has."""
    if alert.acknowledged:
        return f"{name_text(alert.acknowledged)} is on it."
    silence = next((each for each in silences if each.covers(alert, now_ms)), None)
    return "" if silence is None else f"Silenced by {name_text(silence.by)}: {silence.reason}."


def _calmed(trouble: Trouble, said: str) -> Trouble:
    """A trouble that somebody has in hand: it asks for nobody else."""
    if not said:
        return trouble
    level = Level.WARN if trouble.level is Level.BAD else trouble.level
    todo = f"{said} {trouble.todo}".strip()
    return msgspec.structs.replace(trouble, level=level, todo=todo)


_JUDGED = JUDGED | {
    "streams.failed",
    "streams.failed_share",
    "streams.throttled",
    "streams.throttled_share",
    "clock.step_s",
    "files.damaged",
}
"""Figures of what is told by the judges, the clocks and the parts themselves, which know more."""

_ONLY_IN_WORDS = {"admission.refused_now", "admission.unknown_now"}
"""Of which it is always known in words how they go now."""


def _clock(step: Step) -> Trouble:
    """While it goes on, rules that ask for the hour decide by a wrong one."""
    return Trouble(
        level=Level.BAD if step.lasted_ms is None else Level.WARN,
        order=4,
        what=sentence(step_text(step)),
        since_ms=step.at_ms,
        fault="At fault: the machine's clock.",
        todo="See why: is time synchronised, was the machine suspended? Rules decide by the hour"
        " that it says; figures and ages don't.",
    )


class _Blame(msgspec.Struct, frozen=True):
    order: int
    fault: str
    page: str = ""


_BLAMES = {
    "answering": _Blame(0, "Switchhook itself"),
    "keeping": _Blame(0, "Switchhook's disk"),
    "limit": _Blame(1, "the limit"),
    "heartbeat": _Blame(1, "Exotel"),
    "bot": _Blame(2, "the bot"),
    "pool": _Blame(1, "the bots", "/routes"),
    "member": _Blame(2, "the bot", "/routes"),
    "silent": _Blame(1, "the bot", "/routes"),
    "certificate": _Blame(5, "whoever runs the bot", "/routes"),
    "release": _Blame(1, "a release", "/releases"),
    "release-damaged": _Blame(3, "the disk", "/releases"),
    "release-unwatched": _Blame(3, "Switchhook itself", "/releases"),
    "polls-unreadable": _Blame(3, "Exotel's API, or the account's key"),
    "passthrus-stopped": _Blame(0, "what stands between Exotel and the public port, or the flow"),
    "no-traffic": _Blame(3, ""),
    "wrong-secrets": _Blame(3, "the applet's URL", "/endpoints/refused"),
    "unreadable": _Blame(3, "what stands between Exotel and the public port", "/endpoints/refused"),
    "share-shifted": _Blame(5, "the rules, or what Exotel sends"),
    "rules-refused": _Blame(6, "a file of yours"),
    "fold-stalled": _Blame(4, "Switchhook itself"),
    "retention-held": _Blame(4, "the machine's clock"),
}
_LEVELS = {Severity.CRITICAL: Level.BAD, Severity.WARNING: Level.WARN}


def _alerted(alert: Alert, known: Sequence[Trouble]) -> Iterable[Trouble]:
    if alert.severity is Severity.INFO:
        return
    key, level = key_of(alert.figure, alert.labels), _LEVELS[alert.severity]
    in_words = next((each for each in known if each.key == key), None)
    if in_words is not None:
        level = Level.WARN if in_words.over else level
        yield msgspec.structs.replace(in_words, level=level, since_ms=alert.since_ms)
        return
    if alert.figure in _ONLY_IN_WORDS:
        return  # it was over between two looks
    blame = _BLAMES.get(alert.topic or alert.rule, _Blame(7, ""))
    of = ", ".join(name_text(text) for _, text in alert.labels if text)
    yield Trouble(
        level=level,
        order=blame.order,
        key=key,
        what=f"{alert.title}{f' ({of})' if of else ''}.",
        since_ms=alert.since_ms,
        fault=f"At fault: {blame.fault}." if blame.fault else "",
        todo=sentence(alert.advice),
        page=blame.page,
    )


def _ourselves(part: Failing) -> Trouble:
    return Trouble(
        level=Level.WARN,
        order=4,
        what=sentence(part.problem),
        callers="Callers are answered all the same.",
        fault="At fault: Switchhook itself, or its disk.",
        todo=sentence(part.hint),
    )
