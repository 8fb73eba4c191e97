"""The questions that an assistant may ask, answered by the console's API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec

from switchhook.client import ApiError, NotFoundError
from switchhook.errors import ConfigError
from switchhook.exotel.asked_number import asked_number
from switchhook.exotel.cause import judge
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request
from switchhook.rules.decide import DEFAULT, EndpointKind, Option, decide
from switchhook.rules.rules_file import load_rules
from switchhook.rules.variables import AccountFacts

if TYPE_CHECKING:
    from switchhook.client import Client, Endpoint
    from switchhook.client.answers import Rule

MOST_STREAMS = 50
LONGEST_REQUEST = 8_000
_MASK = "•"
_ZONE = "Asia/Kolkata"
_OF_CALL = (
    *("id", "received_at", "endpoint", "cause", "advice", "evidence", "decision", "defects"),
    *("custom_field", "digits", "direction", "from", "to", "extra"),
)


class Questions:
    """Each gives an object for JSON. Raises ApiError; `now_ms` is the clock, Unix time."""

    def __init__(self, client: Client, now_ms: int) -> None:
        self._client, self._now_ms = client, now_ms

    def now(self) -> Any:
        """How things are: the verdict, what failed in the last 15 minutes, the worst causes."""
        now = self._client.now()
        return {
            "verdict": plain(self._client.verdict()),
            "at": now.at,
            "streams_running": now.running,
            "callers_waiting": now.waiting,
            "failed_in_15_minutes": plain(now.failed),
            "answers_in_15_minutes": plain(now.answers),
            "open_issues": now.open_issues,
            "worst_issues": plain(now.issues),
            "happened": now.marks,
        }

    def call(self, call: str) -> Any:
        """One call by its CallSid, a stream's SID, a receipt's id or a telephone number."""
        name = call.strip()
        try:
            return {"call": self._of_call(name)}
        except NotFoundError:
            pass
        try:
            stream = self._client.stream(name)
        except NotFoundError:
            return self._by_number(name)
        if stream.call_sid:
            return {"call": self._of_call(stream.call_sid)}
        return {"stream": plain(stream)}

    def _of_call(self, name: str) -> Any:
        found = plain(self._client.call(name))
        receipts = found.pop("passthrus")
        found["passthrus"] = [{key: each.get(key) for key in _OF_CALL} for each in receipts]
        return found

    def _by_number(self, text: str) -> Any:
        number = asked_number(text)
        if number is None:
            return {"found": "nothing", "understood": "no call, stream or receipt has this id"}
        found = self._client.streams(f'number:"{number}"', limit=20).streams
        if not found:
            return {"found": "nothing", "understood": "a telephone number"}
        sid = found[0].call_sid
        newest = self._of_call(sid) if sid else plain(found[0])
        return {"newest_call": newest, "streams": plain(found)}

    def streams(self, search: str, limit: int) -> Any:
        """Streams that a search finds, newest first."""
        page = self._client.streams(search or None, limit=max(1, min(limit, MOST_STREAMS)))
        return {"streams": plain(page.streams), "more": page.next is not None}

    def causes(self) -> Any:
        """Failures by what they have in common."""
        return {"issues": plain(self._client.issues())}

    def capacity(self) -> Any:
        """The streams in use and left of each account."""
        return plain(self._client.capacity())

    def routes(self) -> Any:
        """Which bots get calls, how the members of pools are, and what people set by hand."""
        return plain(self._client.routes())

    def alerts(self) -> Any:
        """What fires or is pending, and what was over last."""
        found = self._client.alerts()
        return {
            "alerts": plain(found.alerts),
            "resolved": plain(found.resolved[:20]),
            "silences": plain(found.silences),
            "problems": found.problems,
            "evaluated_at": found.evaluated_at,
        }

    def rules(self, endpoint: str) -> Any:
        """The rules in force of an endpoint, or of all, with how often each decided in a day."""
        found = self._client.endpoints().endpoints
        chosen = [each for each in found if not endpoint or each.name == endpoint]
        if not chosen:
            return {"problem": "there is no such endpoint", "known": [each.name for each in found]}
        return {"endpoints": plain(chosen)}

    def decision(self, endpoint: str, request: str) -> Any:
        """What a request would be decided by the rules in force; nothing is asked or kept."""
        found = self._client.endpoints().endpoints
        point = next((each for each in found if each.name == endpoint), None)
        if point is None:
            return {"problem": "there is no such endpoint", "known": [each.name for each in found]}
        return decided(point, request, self._now_ms)


def decided(point: Endpoint, request: str, now_ms: int) -> Any:
    """What a request would be decided by an endpoint's rules as the API tells them."""
    written = [each for each in point.rules if each.written and not each.stands_in]
    default = next((each for each in point.rules if each.name == DEFAULT and each.stands_in), None)
    if default is None or not _given(default):
        return {"problem": "the rules of this endpoint are not known"}
    hidden = [each.name for each in written if _MASK in each.when or _MASK in each.name]
    if hidden:
        problem = "rules that name a telephone number are masked, so nothing is decided here"
        return {"problem": problem, "rules": hidden, "instead": "switchhook parse --rules FILE"}
    text = "".join(
        f"[[rule]]\nname = {json.dumps(each.name)}\nwhen = {json.dumps(each.when)}\n{_given(each)}"
        for each in written
    )
    kind = EndpointKind(point.configured.kind) if point.configured else EndpointKind.PASSTHRU
    try:
        ruleset = load_rules(
            f"{text}[default]\n{_given(default)}", file="rules in force", kind=kind
        )
    except ConfigError as error:
        return {"problem": f"the rules can't be read by this release: {error}"}
    query = request.strip()[:LONGEST_REQUEST].partition("?")
    passthru = parse(Request((query[2] or query[0]).encode()))
    verdict = judge(passthru)
    found = decide(passthru, verdict, AccountFacts(), now_ms, ZoneInfo(_ZONE), ruleset)
    notes = ["nothing was asked and nothing is kept; the endpoint's secret is not looked at"]
    if ruleset.changing:
        notes.append("rules read the account or the time: the account's figures count as unknown"
                     f" here, and the time is now in {_ZONE}")  # fmt: skip
    if kind is EndpointKind.ADMIT and found.option is Option.A:
        notes.append("A asks for room, which is not looked at here")
    return {
        "option": None if found.pool else found.option.value,
        "select": found.select or None,
        "pool": found.pool or None,
        "class": found.class_ or None,
        "promise": found.promise or None,
        "rule": found.rule,
        "reason": found.reason,
        "cause": verdict.cause.value,
        "advice": verdict.advice,
        "defects": [
            {"field": each.field, "text": each.problem}
            for each in (*passthru.defects, *found.defects)
        ],
        "notes": notes,
    }


def _given(rule: Rule) -> str:
    """What a rule gives, as the lines of a rules file."""
    keys = (("option", rule.option), ("select", rule.select), ("pool", rule.pool),
            ("promise", bool(rule.promise)), ("reason", rule.promise),
            ("class", rule.class_))  # fmt: skip
    return "".join(f"{key} = {json.dumps(said)}\n" for key, said in keys if said)


def plain(value: Any) -> Any:
    """Structs as objects for JSON, under the API's names."""
    return msgspec.to_builtins(value)


def refusal(error: ApiError) -> Any:
    """Why the console did not answer, as an answer."""
    return {"problem": str(error), "status": error.status}
