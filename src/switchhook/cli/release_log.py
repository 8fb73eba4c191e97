"""A candidate tried on a log: on requests that nobody has answered yet, beside what runs.

A log keeps no facts: nothing is known of the account, every member of a pool is well, and there is
room for all. The moment is the request's own, by its CurrentTime, else now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from zoneinfo import ZoneInfo

from switchhook.cli.parse import source_lines
from switchhook.exotel.cause import classify
from switchhook.exotel.request_logs.found import is_passthru
from switchhook.exotel.request_logs.reader import LogReader
from switchhook.exotel.wire.passthru import parse
from switchhook.journal.receipt import AddressGiven, AdmissionGiven, Receipt
from switchhook.releases.backtest import Counting
from switchhook.rules.addressing import key_of_draw, with_address
from switchhook.rules.admission import AdmissionSeen, ask_for_room
from switchhook.rules.decide import decide, flags_for
from switchhook.rules.outcome import EndpointKind, Option
from switchhook.rules.routing import NOTHING_KNOWN, AdmissionBudget, route
from switchhook.rules.variables import AccountFacts
from switchhook.streams.decided_again import ReadRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from switchhook.config.values import EndpointConfig
    from switchhook.exotel.passthru import Passthru
    from switchhook.exotel.request_logs.found import Found
    from switchhook.exotel.wire.request import Request
    from switchhook.releases.backtest import Tally
    from switchhook.releases.trial import Trial
    from switchhook.rules.bot_pool import Pool
    from switchhook.rules.decide import Ruleset
    from switchhook.rules.flags import SettingsThen

ROOM = AdmissionBudget(room=1_000_000)


class Runs(NamedTuple):
    """What runs now: an endpoint's rules, and the pools; what flags were set to at any moment."""

    point: EndpointConfig
    ruleset: Ruleset
    pools: Mapping[str, Pool]
    set: SettingsThen


class TriedLog(NamedTuple):
    """What came of a log: `left` are the lines without a request, `others` what is no passthru."""

    tally: Tally
    left: int
    others: int


def try_log(source: str, trial: Trial, runs: Runs, now_ms: Callable[[], int]) -> TriedLog:
    """Try a candidate on each request in a log, in every shape that `parse` reads.

    Raises ConfigError for a file that is not there.
    """
    reader, counting, others = LogReader(), Counting(), 0
    lines = source_lines(source)

    def found() -> Iterator[Found]:
        for line in lines:
            yield from reader.feed(line)
        yield from reader.end()

    for each in found():
        if not is_passthru(each.request):
            others += 1
            continue
        passthru = parse(each.request, region=runs.point.region)
        current = passthru.current_at
        at_ms = now_ms() if current is None else round(current.timestamp() * 1000)
        receipt = _answered(each.request, passthru, runs, at_ms)
        read = ReadRequest(passthru, classify(passthru))
        counting.count(trial.tried(receipt, read), at_ms, each.line)
    return TriedLog(counting.tally(), len(reader.left), others)


def _answered(request: Request, passthru: Passthru, runs: Runs, at_ms: int) -> Receipt:
    """The receipt that what runs now would keep."""
    point, ruleset, zone = runs.point, runs.ruleset, ZoneInfo(runs.point.zone)
    flags = flags_for(ruleset, runs.set.at(at_ms), passthru, at_ms) if ruleset.flags else {}
    verdict = classify(passthru)
    decision = decide(passthru, verdict, AccountFacts(), at_ms, zone, ruleset, flags)
    kept: dict[str, Any] = {
        "received_us": at_ms * 1000,
        "endpoint": point.name,
        "method": request.method,
        "raw": request.query,
        "body": request.body,
        "content_type": request.content_type,
        "zone": point.zone,
        "region": point.region,
        "flags": flags,
    }
    if point.kind is EndpointKind.PASSTHRU:
        status = 200 if decision.option is Option.A else 302
        return Receipt(decision=decision, http_status=status, **kept)
    if point.kind is EndpointKind.ADMIT:
        seen = None
        if decision.option is Option.A:
            seen = AdmissionSeen(account=point.account or "", class_=decision.class_, budget=ROOM)
            decision = ask_for_room(decision, seen)
        return AdmissionGiven(decision=decision, http_status=200, admission=seen, **kept)
    pool = runs.pools.get(decision.pool)
    key = key_of_draw(passthru, sticky=pool is not None and pool.sticky)
    drawn = route(runs.pools, decision.pool, key, NOTHING_KNOWN, at_ms)
    decision = with_address(decision, drawn, fallback=False, status=200)
    return AddressGiven(decision=decision, http_status=200, route=drawn, **kept)
