"""A vendor's report as a file: Markdown and JSON with all of it, CSV with the failures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from switchhook.exotel.times import moment_of
from switchhook.reports.blame import MEANING, lead
from switchhook.reports.vendor import LENGTHS_S
from switchhook.streams.export import csv_text
from switchhook.web.escaping import escaped
from switchhook.web.json import encode_json, time_of
from switchhook.web.render import percent, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from zoneinfo import ZoneInfo

    from switchhook.reports.vendor import BotTrouble, Failure, Group, Share, Talks, VendorReport

Json = dict[str, Any]
_LONGEST = 300


def report_json(report: VendorReport) -> Json:
    """The report as an object of the API; times are UTC."""
    stretch = report.stretch
    return {
        "bot": report.bot,
        "owner": report.owner or None,
        "hosts": [{"host": host, "streams": count} for host, count in report.hosts],
        "week": stretch.week or None,
        "since": time_of(stretch.since_ms * 1000),
        "until": time_of(stretch.until_ms * 1000),
        "zone": report.zone,
        "made_at": time_of(report.made_ms * 1000),
        "over": report.over,
        "kept_since": None
        if report.kept_since_ms is None
        else time_of(report.kept_since_ms * 1000),
        "numbers": "whole" if report.whole else "masked",
        "calls": report.calls,
        "streams": report.streams,
        "without_host": report.without_host,
        "judged": report.judged,
        "failed": report.failed,
        "failed_share": report.share,
        "causes": {str(cause): count for cause, count in report.causes},
        "whose": [
            {"whose": str(whose), "certainty": str(sure), "streams": count}
            for whose, sure, count in report.blames
        ],
        "certainties": {str(word): meaning for word, meaning in MEANING.items()},
        "groups": [_group_json(each) for each in report.groups],
        "unlisted": report.unlisted,
        "days": [_share_json(each) for each in report.days],
        "hours_of_day": [
            {"hour": hour, **_counts_json(each)} for hour, each in enumerate(report.hours)
        ],
        "each_hour": [_share_json(each) for each in report.each_hour],
        "talks": _talks_json(report.talks),
        "left_early": _talks_json(report.early),
        "first_sound": {"measured": False, "why": report.first_sound},
        "answered": [msgspec.structs.asdict(each) for each in report.answered],
        "troubles": [_trouble_json(each) for each in report.troubles],
    }


def _group_json(group: Group) -> Json:
    return {
        "cause": str(group.cause),
        "kind": group.kind or None,
        "whose": str(group.blame.whose),
        "certainty": str(group.blame.certainty),
        "why": group.blame.why,
        "streams": group.streams,
        "failures": [_failure_json(each) for each in group.failures],
    }


def _failure_json(failure: Failure) -> Json:
    return {
        "at": time_of(failure.at_us),
        "call_sid": failure.call_sid or None,
        "sid": failure.stream_sid or None,
        "number": failure.number or None,
        "duration_s": failure.seconds,
        "host": failure.host or None,
        "said": failure.said,
        "option": failure.option,
        "rule": failure.rule,
    }


def _share_json(each: Share) -> Json:
    return {"at": time_of(each.at_ms * 1000), **_counts_json(each)}


def _counts_json(each: Share) -> Json:
    return {
        "streams": each.streams,
        "judged": each.judged,
        "failed": each.failed,
        "failed_share": each.share,
    }


def _talks_json(talks: Talks) -> Json:
    bounds = [*LENGTHS_S, None]
    return {
        "known": talks.known,
        "unknown": talks.unknown,
        "shortest_s": talks.shortest_s,
        "half_s": talks.half_s,
        "nine_in_ten_s": talks.nine_in_ten_s,
        "longest_s": talks.longest_s,
        "lengths": [
            {"below_s": bound, "streams": count}
            for bound, count in zip(bounds, talks.lengths, strict=True)
        ],
    }


def _trouble_json(each: BotTrouble) -> Json:
    return {
        "title": each.title,
        "severity": each.severity,
        "since": time_of(each.since_ms * 1000),
        "ended": None if each.ended_ms is None else time_of(each.ended_ms * 1000),
        "several_bots": each.together,
    }


CSV_COLUMNS = (
    *("time", "cause", "kind", "whose", "certainty", "call", "stream", "number"),
    *("duration", "host", "said", "option", "rule"),
)


def report_csv(report: VendorReport, zone: ZoneInfo) -> bytes:
    """The failures, oldest first, a line each; with a byte order mark, which Excel needs."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow((f"time ({report.zone})", *CSV_COLUMNS[1:]))
    listed = [each for group in report.groups for each in group.failures]
    for each in sorted(listed, key=lambda one: one.at_us):
        texts = (
            *(each.cause, each.kind, each.blame.whose, each.blame.certainty),
            *(each.call_sid, each.stream_sid, each.number),
        )
        rest = (each.host, each.said, each.option, each.rule)
        writer.writerow(
            (
                when_text(each.at_us, zone),
                *map(csv_text, texts),
                "" if each.seconds is None else each.seconds,
                *map(csv_text, rest),
            )
        )
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def when_text(us: int, zone: ZoneInfo) -> str:
    """Unix time in microseconds as date and time in a zone."""
    return moment_of(us).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def report_markdown(report: VendorReport, zone: ZoneInfo) -> bytes:
    """The whole report as Markdown; texts from outside stand in code, and act nowhere."""
    parts = (
        _head(report, zone),
        _outcomes(report),
        _failures(report, zone),
        _shares(report, zone),
        _lengths(report),
        _ours(report),
        _troubles(report, zone),
        _how_sure(),
    )
    return "\n\n".join(part for part in parts if part).encode() + b"\n"


def title(report: VendorReport) -> str:
    """What it is called: the bot, and which week."""
    return f"{report.bot}, {report.stretch.week or 'report'}"


def notes(report: VendorReport, zone: ZoneInfo) -> list[str]:
    """What one has to know to read the figures, in sentences."""
    found = [
        "Times are when the request that told of a stream was received, which is after its end.",
        "Numbers are in full." if report.whole else "Telephone numbers are masked.",
    ]
    if not report.over:
        found.insert(0, "The time is not over: what comes later is not in it.")
    if report.kept_since_ms is not None:
        at = when_text(report.kept_since_ms * 1000, zone)
        found.insert(0, f"Nothing from before {at} {report.zone} is known here.")
    if report.without_host:
        found.append(
            f"{report.without_host:,} of {report.streams:,} streams told no host: they are counted"
            " here by the endpoint or number that they came by."
        )
    return found


def _head(report: VendorReport, zone: ZoneInfo) -> str:
    stretch = report.stretch
    hosts = ", ".join(f"{_code(host)} ({count:,})" for host, count in report.hosts[:10])
    times = (stretch.since_ms, stretch.until_ms, report.made_ms)
    since, until, made = (when_text(each * 1000, zone) for each in times)
    lines = [
        f"# {_text(title(report))}",
        "",
        f"From {since} to {until} {report.zone}. Made {made} {report.zone}.",
        "",
        *([f"For {_text(report.owner)}.", ""] if report.owner else []),
        *([f"Hosts: {hosts}.", ""] if hosts else []),
        *(f"- {each}" for each in notes(report, zone)),
    ]
    return "\n".join(lines)


def _outcomes(report: VendorReport) -> str:
    share = "no stream tells" if report.share is None else percent(report.share)
    return "\n\n".join(
        (
            "## Outcomes",
            f"{report.streams:,} streams of {report.calls:,} calls. The bot failed"
            f" {report.failed:,} of the {report.judged:,} that tell whether it works: {share}.",
            _table(
                ("How it ended", "Streams"),
                ((_words(cause), f"{count:,}") for cause, count in report.causes),
            ),
            _table(
                ("Whose it was", "How sure", "Streams"),
                ((whose, sure, f"{count:,}") for whose, sure, count in report.blames),
            ),
        )
    )


def _failures(report: VendorReport, zone: ZoneInfo) -> str:
    parts = ["## What went wrong"]
    if not report.groups:
        parts.append("Nothing.")
    for group in report.groups:
        kind = f" ({_words(group.kind)})" if group.kind else ""
        parts.append(f"### {_words(group.cause).capitalize()}{kind}: {group.streams:,}")
        parts.append(f"{lead(group.blame)}. {group.blame.why} ({group.blame.certainty})")
        parts.append(
            _table(
                (f"Time ({report.zone})", "CallSid", "Number", "Lasted", "Exotel said"),
                (
                    (
                        when_text(each.at_us, zone),
                        _code(each.call_sid),
                        _text(each.number),
                        "" if each.seconds is None else f"{each.seconds} s",
                        _code(each.said),
                    )
                    for each in group.failures
                ),
            )
        )
    if report.unlisted:
        parts.append(f"{report.unlisted:,} more are counted and not listed: ask for less time.")
    return "\n\n".join(parts)


def _shares(report: VendorReport, zone: ZoneInfo) -> str:
    hours = [(f"{hour:02}:00", each) for hour, each in enumerate(report.hours) if each.streams]
    days = [(when_text(each.at_ms * 1000, zone)[:10], each) for each in report.days]
    columns = ("Streams", "That tell", "Failed", "Share")
    return "\n\n".join(
        (
            f"## Share of failures, {report.zone}",
            _table(("Day", *columns), _share_rows(days)),
            _table(("Hour of the day", *columns), _share_rows(hours)),
        )
    )


def _share_rows(named: Iterable[tuple[str, Share]]) -> Iterable[Sequence[str]]:
    return (
        (name, f"{each.streams:,}", f"{each.judged:,}", f"{each.failed:,}", percent(each.share))
        for name, each in named
    )


def _lengths(report: VendorReport) -> str:
    return "\n\n".join(
        (
            "## Talks",
            talks_text(report.talks, "talks"),
            f"Left before the bot spoke: {talks_text(report.early, 'callers')}",
            "## Time to the first sound",
            report.first_sound,
        )
    )


def talks_text(talks: Talks, what: str) -> str:
    """How long they lasted, in a sentence."""
    if talks.shortest_s is None or talks.half_s is None:
        return f"no length is known of {talks.unknown:,} {what}." if talks.unknown else "none."
    assert talks.nine_in_ten_s is not None
    assert talks.longest_s is not None
    unknown = f" Of {talks.unknown:,} more no length is known." if talks.unknown else ""
    return (
        f"{talks.known:,} {what}: half lasted up to {span(talks.half_s)}, nine in ten up to"
        f" {span(talks.nine_in_ten_s)}; the shortest {span(talks.shortest_s)}, the longest"
        f" {span(talks.longest_s)}.{unknown}"
    )


def _ours(report: VendorReport) -> str:
    rows = [
        (_text(each.endpoint), _text(each.rule), each.option, _text(each.leads_to),
         f"{each.streams:,}")
        for each in report.answered
    ]  # fmt: skip
    columns = ("Endpoint", "Rule", "Option", "Leads to", "Streams")
    said = "Where callers went afterwards is our rules' doing, not the bot's."
    return "\n\n".join(("## What our rules answered", said, _table(columns, rows)))


def _troubles(report: VendorReport, zone: ZoneInfo) -> str:
    rows = [
        (
            _text(each.title) + (" (of several bots; which is not told)" if each.together else ""),
            each.severity,
            when_text(each.since_ms * 1000, zone),
            "goes on" if each.ended_ms is None else when_text(each.ended_ms * 1000, zone),
        )
        for each in report.troubles
    ]
    table = _table(("Trouble", "Severity", "From", "To"), rows) if rows else "None was told of."
    return "\n\n".join((f"## Troubles, {report.zone}", table))


def _how_sure() -> str:
    said = [f"- *{word}*: {meaning}" for word, meaning in MEANING.items()]
    return "\n".join(("## How sure", "", *said))


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _words(cause: str) -> str:
    return cause.replace("_", " ")


_ACTS = str.maketrans({each: f"\\{each}" for each in "\\`*_[]<>|~&"})


def _text(text: str) -> str:
    """A name in Markdown: nothing in it acts."""
    return escaped(text[:_LONGEST]).translate(_ACTS)


def _code(text: str) -> str:
    """A text from outside as code in a cell."""
    shown = escaped(text[:_LONGEST]).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown.strip() else ""


Writer = Callable[["VendorReport", "ZoneInfo"], bytes]


class ReportForm(msgspec.Struct, frozen=True):
    """A form of the file: its ending, its media type, and what writes it."""

    ending: str
    media_type: str
    write: Writer


def _as_json(report: VendorReport, _zone: ZoneInfo) -> bytes:
    return encode_json(report_json(report)) + b"\n"


FORMS = {
    each.ending: each
    for each in (
        ReportForm("md", "text/markdown; charset=utf-8", report_markdown),
        ReportForm("csv", "text/csv; charset=utf-8", report_csv),
        ReportForm("json", "application/json", _as_json),
    )
}
"""The forms that need no page, by the ending of their file; HTML is written by `vendor_page`."""
