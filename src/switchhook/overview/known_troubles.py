"""Troubles whose words are known where they are met: machines, Exotel's API, whom to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from switchhook.alerts.sender import SilentDestination
from switchhook.capacity.status import CapacityNow
from switchhook.errors import sentence
from switchhook.exotel.phone_numbers import shown_hash
from switchhook.exotel.times import EPOCH, IST
from switchhook.metrics import value_text
from switchhook.overview.heartbeat_metrics import AccountBeat
from switchhook.overview.machine_metrics import SeenMachine
from switchhook.overview.machine_troubles import machine_troubles
from switchhook.overview.missing_metrics import Missing
from switchhook.streams.metrics import WrongSecrets
from switchhook.streams.share_metrics import ShareMoved
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALL_WRONG = "endpoint.wrong_secret_share"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of machines, polls, changed rules, numbers, what lacks and whom to tell."""

    machines: Sequence[SeenMachine] = ()
    capacity: Sequence[CapacityNow] = ()
    moved: Mapping[str, ShareMoved] = {}
    beats: Sequence[AccountBeat] = ()
    missing: Sequence[Missing] = ()
    silent: Sequence[SilentDestination] = ()
    secrets: Mapping[str, WrongSecrets] = {}


def known_troubles(known: Known) -> Iterable[Trouble]:
    """What is wrong with them, in full: each is told once an alert of its key fires."""
    for machine in known.machines:
        yield from machine_troubles(machine)
    yield from map(_of_missing, known.missing)
    yield from map(_of_destination, known.silent)
    for endpoint, wrong in known.secrets.items():
        yield from _of_secrets(endpoint, wrong)
    yield from (_of_heartbeat(each) for each in known.beats if each.level)
    for account in known.capacity:
        if account.problem:
            yield _of_polls(account)
    for endpoint, each in known.moved.items():
        if each.before.share is not None and each.since.share is not None:
            yield _of_rules(endpoint, each)


def _of_missing(found: Missing) -> Trouble:
    at = (EPOCH + timedelta(milliseconds=found.since_ms)).astimezone(IST)
    since, usually = f"since {at:%H:%M} IST", f"{found.count:,.0f}"
    name = name_text(found.name)
    if found.active is None:
        return Trouble(
            level=Level.WARN,
            order=3,
            key=key_of("streams.missing", (("endpoint", found.name),)),
            what=f"No stream of {name} {since}, where {usually} are usual by now.",
            callers="Whether somebody calls is not known.",
            todo="Call the number: if a bot answers, see whether the Passthru applet is still in"
            " the flow; if none does, ask Exotel's support.",
        )
    return Trouble(
        level=Level.BAD,
        order=0,
        key=key_of("account.missing_passthrus", (("account", found.name),)),
        what=f"No passthru of account {name} {since}, though streams run ({found.active} now):"
        f" {usually} should have come.",
        callers="Callers go on by Option B, or wait for an answer, and nothing of it is kept.",
        fault="At fault: what stands between Exotel and the public port, or the flow.",
        todo="Open the applet's URL from outside: do its name, the proxy before Switchhook and its"
        " certificate work? Is the Passthru applet still in the flow?",
    )


def _of_destination(silent: SilentDestination) -> Trouble:
    name = name_text(silent.name)
    return Trouble(
        level=Level.WARN,
        order=4,
        key=key_of("destination.silent_s", (("destination", silent.name),)),
        what=sentence(f"{name} takes no alerts: {silent.problem}"),
        since_ms=silent.since_ms,
        callers="Callers are answered all the same; who is told there hears of nothing.",
        fault="At fault: that destination, its address, or the way to it.",
        todo=f"Try it: `switchhook alerts test {name}`. Messages are tried again for six hours.",
    )


def _of_secrets(endpoint: str, wrong: WrongSecrets) -> Iterable[Trouble]:
    """Some come with it, or nearly all: the alert that fires says which."""
    name, labels = name_text(endpoint), (("endpoint", endpoint),)
    some, all_ = key_of("endpoint.wrong_secrets", labels), key_of(_ALL_WRONG, labels)
    many = "1 request" if wrong.count == 1 else f"{wrong.count} requests"
    for key, covers, who in ((some, (), "Callers"), (all_, (some,), "Nearly all callers")):
        yield Trouble(
            level=Level.WARN,
            order=3,
            key=key,
            covers=covers,
            what=f"{who} of endpoint {name} come with a wrong secret: {many} refused so far.",
            since_ms=wrong.first_ms,
            callers="Each of them takes Option B, whatever the rules say.",
            fault="At fault: the applet's URL.",
            todo=f"Put the URL that `switchhook endpoint url {name}` prints into the applet;"
            " `switchhook refused` shows what came.",
            page="/endpoints/refused",
        )


def _of_polls(account: CapacityNow) -> Trouble:
    what, _, todo = account.problem.partition(": ")
    of = f" of account {name_text(account.account)}" if account.account else ""
    return Trouble(
        level=Level.WARN,
        order=3,
        key=key_of("account.unreadable_polls", (("account", account.account),)),
        what=sentence(f"Exotel's count of streams{of} can't be read: {what}"),
        callers="Callers are answered all the same, but how many streams are left is not known.",
        fault="At fault: Exotel's API, or the account's key.",
        todo=sentence(todo) if todo else "",
    )


def _of_rules(endpoint: str, moved: ShareMoved) -> Trouble:
    name, since, change = name_text(endpoint), moved.since, moved.change
    then, now = value_text(moved.before.share, "share"), value_text(since.share, "share")
    at = (EPOCH + timedelta(milliseconds=change.at_ms)).astimezone(IST)
    return Trouble(
        level=Level.WARN,
        order=5,
        key=key_of("endpoint.a_share_shift", (("endpoint", endpoint),)),
        what=sentence(
            f"Since the rules of {name} changed at {at:%H:%M:%S} IST, Option A is {now} of"
            f" {since.cases} streams, where it was {then}"
        ),
        fault=f"At fault: the rules ({change.by or 'changed'}, {shown_hash(change.hash)}).",
        todo=f"If it is not meant: `switchhook rules undo {name}`.",
    )


def _of_heartbeat(beat: AccountBeat) -> Trouble:
    of = f" of account {name_text(beat.account)}" if beat.account else ""
    numbers = "1 number" if beat.numbers == 1 else f"{beat.numbers} numbers"
    affected = f", {numbers} affected" if beat.numbers else ""
    return Trouble(
        level=Level.WARN,
        order=1,
        key=key_of("account.heartbeat", (("account", beat.account),)),
        what=sentence(f"Exotel's heartbeat{of} says {name_text(beat.status)}{affected}"),
        callers="Calls to and from them may fail before any bot is reached.",
        fault="At fault: Exotel.",
        todo="Ask Exotel's support, and lead callers to other numbers meanwhile.",
    )
