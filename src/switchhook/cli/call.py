"""One call, by either of its ids or by a telephone number: `call`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from switchhook.calls.queries import callback_calls
from switchhook.cli import output
from switchhook.cli.data import data_folder
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reading import reading
from switchhook.errors import ConfigError
from switchhook.exotel.asked_number import asked_number
from switchhook.exotel.phone_numbers import mask_text
from switchhook.streams.names import Names
from switchhook.streams.search.query import Condition, Query
from switchhook.web.masking import mask_json

if TYPE_CHECKING:
    from switchhook.cli.reading import Reading

MOST_OF_NUMBER = 20
"""Calls of one number that are listed."""


def call(
    *identifier: Annotated[str, Parameter(help="A CallSid, a StreamSID, or a telephone number.")],
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Show one call: what was asked before its streams, its passthrus, streams and reports.

    Of a telephone number, in any spelling, the calls are listed and the newest is shown. Exit code
    1 if there is none, or if something of it can't be read. On a node whose cluster's database is
    away it is looked for in the node's own journal, which is said above, with exit code 1.
    """
    asked = " ".join(identifier).strip()
    if not asked:
        raise ConfigError(
            "nothing to look for",
            key="call",
            hint="give a CallSid, a StreamSID or a telephone number",
        )
    with reading(data_folder(config, data)) as found:
        sid = call_sid_of(found, asked)
        number = asked_number(asked) if sid is None else None
        sids = [sid] if sid is not None else calls_of_number(found, number) if number else []
        calls = [call for each in sids if (call := found.queries.call(each)) is not None]
        if not calls:
            output.err.print(_unknown(asked, number))
            found.code()
            return 1
        return _show(found, calls, number, json)


def call_sid_of(reading: Reading, asked: str) -> str | None:
    """The CallSid of what an id names: a call, a receipt, or a stream of a call."""
    if reading.queries.kept_call(reading.queries.call_named(asked)) is not None:
        return reading.queries.call_named(asked)
    stream = reading.queries.stream(asked)
    return None if stream is None else stream["call_sid"]


def calls_of_number(reading: Reading, number: str) -> list[str]:
    """The CallSids of a number's calls, newest first, those that only callbacks told of too."""
    query = Query((Condition("number", (number,)),))
    streams = reading.store.search(query, Names(), limit=10 * MOST_OF_NUMBER).rows
    told = {
        each.story.call_sid: each.story.last.received_us
        for each in reversed(streams)
        if each.story.call_sid is not None
    }
    by_callback = callback_calls(
        reading.journal, reading.store, number=number, limit=MOST_OF_NUMBER
    )
    told |= {each.story.call_sid: each.story.last.received_us for each in by_callback.calls}
    return sorted(told, key=lambda sid: -told[sid])[:MOST_OF_NUMBER]


def _unknown(asked: str, number: str | None) -> str:
    """What was understood, and that there is none."""
    if number is not None:
        return f"read as the telephone number {mask_text(number)}: no call from it or to it is kept"
    return (
        f"read as an id: no call, stream or receipt is kept that is called {output.plain(asked)};"
        " a telephone number has at least three digits, and a `*` before its end"
    )


def _show(reading: Reading, calls: list[dict[str, Any]], number: str | None, json: bool) -> int:
    newest = calls[0]["call_sid"]
    asked = {"call": newest} if number is None else {"search": f"number:{number}"}
    if not reading.noted("call", **asked):
        calls = [mask_json(each) for each in calls]
    code = reading.code()
    if json:
        for each in calls:
            output.print_json(each)
        return code
    if len(calls) > 1:
        output.print_table(
            ("HEARD OF", "CALL", "STATUS", "CAUSES", "FROM", "TO"),
            (
                (
                    output.moment(each["last_received_at"]),
                    each["call_sid"],
                    each["status"],
                    ", ".join(stream["cause"] for stream in each["streams"]) or None,
                    each["from"],
                    each["to"],
                )
                for each in calls
            ),
        )
        output.out.print()
    _show_one(calls[0])
    return code


def _show_one(found: dict[str, Any]) -> None:
    said = ("direction", "from", "to", "status")
    output.print_pairs(
        [
            ("call", found["call_sid"]),
            ("first heard of", output.moment(found["first_received_at"])),
            *((name, found[name]) for name in said),
        ]
    )
    _show_before(found)
    if not found["passthrus"]:
        others = [] if found["before"] or found["reports"] else ["only status callbacks told of it"]
        output.out.print()
        output.out.print(": ".join([*others, "no passthru after a stream named it"]))
    for receipt in found["passthrus"]:
        output.out.print()
        output.out.print(output.receipt_line(receipt))
        output.print_pairs([("advice", receipt["advice"]), ("receipt", receipt["id"])], indent=2)
    for stream in found["streams"]:
        output.out.print()
        output.print_pairs(
            [
                ("stream", stream["sid"]),
                ("status", stream["status"]),
                ("detailed", stream["detailed_status"]),
                ("lasted", None if stream["duration_s"] is None else f"{stream['duration_s']} s"),
                ("bot", stream["url"]),
                ("error", stream["error"]),
                ("cause", output.cause_text(stream["cause"])),
                ("advice", stream["advice"]),
            ]
        )


def _show_before(found: dict[str, Any]) -> None:
    """What was answered before its streams, and what its bots report."""
    for receipt in found["before"]:
        output.out.print()
        output.out.print(output.receipt_line(receipt))
        why = (receipt["decision"] or {}).get("reason")
        output.print_pairs([("why", why), *_given(receipt), ("receipt", receipt["id"])], indent=2)
    for report in found["reports"]:
        output.out.print()
        moment = output.moment(report["at"] or report["received_at"])
        said = [("reported", report["event"]), ("at", moment), ("ended by", report["ended_by"])]
        said += [("error", report["error"]), ("stream", report["stream_sid"])]
        output.print_pairs([*said, ("receipt", report["id"])])


def _given(receipt: dict[str, Any]) -> list[tuple[str, Any]]:
    """What an admission rests on, or the draw of a member."""
    if receipt.get("kind") == "admit":
        names = ("class", "room", "reserve")
        return [("admitted", "yes" if receipt["admitted"] else "no")] + [
            (name, receipt[name]) for name in names
        ]
    among = ", ".join(
        f"{x['member']} (weight {x['weight']:g})" for x in receipt.get("eligible", ())
    )
    hands = ", ".join(map(str, receipt.get("hands", ())))
    said = [(name, receipt.get(name)) for name in ("pool", "member", "address", "problem")]
    return [*said, ("drawn among", among or None), ("set by hand", hands or None)]
