"""How the commands show things: harmless text, tables for people, lines of JSON for programs."""

from __future__ import annotations

import sys
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from switchhook.web.json import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OPTION_STYLE = {"A": "green", "B": "yellow"}
CAUSE_STYLE = {
    "throttled": "bold red",
    "connect_failed": "bold red",
    "bot_dropped": "red",
    "unknown": "magenta",
}

# In a pipe nothing is wrapped; a terminal wraps by itself, so that what is copied has no line ends.
_PIPED = 10_000
_GAP, _INDENT = 2, 4
_PROSE, _LEAST_PROSE = frozenset({"advice", "why", "what", "limit reached"}), 24
out = Console(
    highlight=False,
    markup=False,
    emoji=False,
    soft_wrap=True,
    width=None if sys.stdout.isatty() else _PIPED,
)
err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def plain(value: object) -> str:
    r"""Text from outside, on one line: control, bidi and other unprintable characters as \uXXXX."""
    if value is None:
        return "–"
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode("ascii")
        for c in text
    )


def short(value: object, length: int) -> str:
    """The same, cut to a length."""
    text = plain(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def print_json(value: Any) -> None:
    """One line of JSON."""
    sys.stdout.write(encode_json(value).decode() + "\n")
    sys.stdout.flush()


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; the columns that a terminal has no room for stand below each row, whole."""
    cells = [
        [each if isinstance(each, Text) else Text(plain(each)) for each in row] for row in rows
    ]
    widths = [
        max(len(column), *(each.cell_len for each in row), 0)
        for column, *row in zip(columns, *cells, strict=True)
    ]
    fit = 1
    while fit < len(widths) and sum(widths[: fit + 1]) + _GAP * fit <= out.width:
        fit += 1
    out.print(_line([Text(column, style="bold") for column in columns[:fit]], widths))
    for row in cells:
        out.print(_line(row[:fit], widths))
        below = zip(columns[fit:], row[fit:], strict=True)
        named = [(name.lower(), each) for name, each in below if each.plain not in ("", "–")]
        print_pairs(named, indent=_INDENT)


def _line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for cell, width in zip(cells, widths, strict=False):
        line.append(" " * (_GAP if line else 0))
        line.append_text(cell)
        line.append(" " * (width - cell.cell_len))
    line.rstrip()
    return line


def print_pairs(pairs: Iterable[tuple[str, object]], indent: int = 0) -> None:
    """Names and values below each other, without those that say nothing.

    Prose is wrapped beside its name; what may be copied (identifiers, addresses, errors) is left to
    the terminal, which wraps it without a line end in it.
    """
    said = [
        (name, value if isinstance(value, Text) else Text(plain(value)))
        for name, value in pairs
        if value not in (None, "", [], {})
    ]
    width = max((len(name) for name, _ in said), default=0)
    room = out.width - indent - width - _GAP
    for name, value in said:
        line = Text(" " * indent)
        line.append(f"{name:<{width}}", style="bold")
        line.append(" " * _GAP)
        if value.cell_len <= room or room < _LEAST_PROSE or name not in _PROSE:
            out.print(line + value)
            continue
        for at, part in enumerate(value.wrap(out, room)):
            part.rstrip()
            out.print((line if at == 0 else Text(" " * (indent + width + _GAP))) + part)


def cause_text(cause: str | None) -> Text:
    """A cause in its colour."""
    return Text(plain(cause), style=CAUSE_STYLE.get(cause or "", ""))


def option_text(option: str | None) -> Text:
    """An option in its colour."""
    return Text(plain(option), style=OPTION_STYLE.get(option or "", ""))


def clock(received_at: str | None) -> str:
    """The time of day of an RFC 3339 time where this machine stands, with the zone."""
    return _shown(received_at, "%H:%M:%S")


def day_clock(received_at: str | None) -> str:
    """The same with month and day, for lists of what is recent."""
    return _shown(received_at, "%m-%d %H:%M:%S")


def moment(received_at: str | None) -> str:
    """Date and time where this machine stands, with the zone."""
    return _shown(received_at, "%Y-%m-%d %H:%M:%S")


def _shown(received_at: str | None, form: str) -> str:
    if received_at is None:
        return "–"
    return datetime.fromisoformat(received_at).astimezone().strftime(f"{form} %Z")


def own_zone() -> tzinfo:
    """The zone that times are shown in, and read in where they have none."""
    zone = datetime.now().astimezone().tzinfo
    assert zone is not None, "astimezone gives one"
    return zone


def receipt_line(receipt: dict[str, Any]) -> Text:
    """A receipt on one line: what was understood, decided and why, and what to do about trouble."""
    decision = receipt["decision"] or {}
    said, cause = _asked(receipt)
    line = Text()
    line.append(f"{clock(receipt['received_at'])}  ", style="dim")
    line.append(f"{plain(receipt['endpoint']):<10}  {plain(receipt['call_sid']):<32}  ")
    line.append(f"{said:<16}  ")
    line.append(f"{cause:<17}  ", style=CAUSE_STYLE.get(cause, ""))
    option = decision.get("option", "–")
    line.append(f"{option}  ", style=f"bold {OPTION_STYLE.get(option, '')}")
    line.append(plain(decision.get("rule")))
    given = _given(receipt, decision)
    if given:
        line.append(f" → {plain(given)}")
    if cause in CAUSE_STYLE:
        line.append(f": {plain(receipt['advice'])}", style="dim")
    if receipt.get("copies") == 1:
        line.append("  (one copy when it was answered)", style="dim")
    if receipt["defects"]:
        fields = ", ".join(plain(defect["field"]) for defect in receipt["defects"][:3])
        more = "…" if len(receipt["defects"]) > 3 else ""
        line.append(f"  ({len(receipt['defects'])} odd: {fields}{more})", style="dim")
    return line


def _asked(receipt: dict[str, Any]) -> tuple[str, str]:
    """What a request told or asked, and the cause that it tells of where it may tell one."""
    if receipt.get("kind") == "admit":
        return "asks for room", ""
    if receipt.get("kind") == "voicebot":
        return "asks for a bot", ""
    stream = receipt["stream"] or {}
    said = plain(stream.get("status") or "no stream")
    if stream.get("duration_s") is not None:
        said += f" {stream['duration_s']} s"
    return said, plain(receipt["cause"])


def _given(receipt: dict[str, Any], decision: dict[str, Any]) -> str:
    """What was answered, where that is more than an option."""
    if receipt.get("kind") == "admit" and not decision.get("select"):
        return "admitted" if receipt["admitted"] else "not admitted"
    if receipt.get("kind") == "voicebot":
        if receipt["fallback"]:
            return "the fallback"
        if receipt["address"] is None:
            return "no address"
        return f"{receipt['pool']}/{receipt['member']}"
    given = [decision.get("select"), decision.get("pool")]
    promised = decision.get("promise")
    return ", ".join(filter(None, [*given, "a callback" if promised else decision.get("class")]))


def _promised(decision: dict[str, Any]) -> str | None:
    if not decision.get("promise"):
        return None
    return f"a callback as class {decision['class']}: {decision['promise']}"


def receipt_pairs(receipt: dict[str, Any]) -> list[tuple[str, object]]:
    """Everything worth reading in a receipt, in the order of reading."""
    call, stream, decision = receipt["call"], receipt["stream"] or {}, receipt["decision"]

    def both(said: object, raw: object) -> str | None:
        if said is None and raw is None:
            return None
        return plain(said) if said == raw or raw is None else f"{plain(said)}  (sent: {plain(raw)})"

    select = f", select {decision['select']}" if decision.get("select") else ""
    option = f"{decision['option']}, {decision['http_status']}{select}: {decision['reason']}"
    return [
        ("CallSid", receipt["call_sid"]),
        ("direction", both(receipt["direction"], receipt["direction_raw"])),
        ("from", both(receipt["from"], receipt["from_raw"])),
        ("to", both(receipt["to"], receipt["to_raw"])),
        ("digits", receipt["digits"]),
        ("call", both(call["status"], call["type"])),
        ("dialled", both(call["dial_status"], call["dial_duration_raw"])),
        ("legs", len(call["legs"]) or None),
        ("StreamSID", stream.get("sid")),
        ("stream", both(stream.get("status"), stream.get("status_raw"))),
        ("detailed", stream.get("detailed_status")),
        ("lasted", both(stream.get("duration_s"), stream.get("duration_raw"))),
        ("ended by", both(stream.get("disconnected_by"), stream.get("disconnected_by_raw"))),
        ("error", stream.get("error")),
        ("bot", stream.get("url")),
        ("recording", stream.get("recording_url") or receipt["recording_url"]),
        ("custom field", receipt["custom_field"]),
        ("others", ", ".join(plain(key) for key in receipt["extra"]) or None),
        ("cause", cause_text(receipt["cause"])),
        ("advice", receipt["advice"]),
        ("answer", Text(plain(option), style=OPTION_STYLE[decision["option"]])),
        ("rule", decision["rule"]),
        ("promised", _promised(decision)),
        *(("odd", f"{each['field']}: {each['problem']}") for each in receipt["defects"]),
    ]
