"""A trace in words: one line for each thing that happened, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from switchhook.emulator.net.urls import NO_PASSTHRU

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from switchhook.emulator.call.trace import Entry

_LONGEST = 400
UNASKED = "no passthru is named (--passthru), so nothing is asked, and Option A is taken"

_WORDS: dict[str, Callable[[dict[str, Any]], str]] = {
    "ringing": lambda e: f"rings {e['number']}",
    "answered": lambda e: "answered",
    "applet": lambda e: f"{e['kind']} “{e['name']}”",
    "gone": lambda e: {"caller": "the caller hangs up", "limit": "the call's time is over"}.get(
        e["by"], f"nobody answers ({e['by']})"
    ),
    "pressed": lambda e: f"the caller presses {e['digits']}",
    "said": lambda e: f"the caller says: {e['what_was']}",
    "gathered": lambda e: f"gathered {e['digits'] or 'nothing'}",
    "chosen": lambda e: f"chose {e.get('key') or 'nothing'}",
    "passthru": lambda e: UNASKED if is_unasked(e) else f"GET {e['url']} ({e['mode']})",
    "answer": lambda e: f"the server answers {e['status']} after {_seconds(e['seconds'])}",
    "no_answer": lambda e: (
        f"no answer: {e['text']} (after {_seconds(e['seconds'])}): {e.get('detail', '')}".rstrip(
            ": "
        )
    ),
    "option": lambda e: (
        f"Option {e['option']}"
        + (", though nobody is on the line any more" if e["unheard"] else "")
    ),
    "refused_to_dial": lambda e: f"not dialled: {e['text']}",
    "speech_like": lambda e: e["text"],
    "warning": lambda e: f"warning: {e['text']}",
    "fault": lambda e: f"fault: {e['fault']}",
    "throttled": lambda e: f"over the stream limit ({e['active']} of {e['allowed']} in use)",
    "dynamic_url": lambda e: f"asks {e['url']} for the stream's URL",
    "dynamic_url_answer": lambda e: f"it answers {e['status']}: {e['body']}",
    "stream_url": lambda e: _told(e),
    "dial": lambda e: f"dials {e['url']}" + (" again" if e["attempt"] > 1 else ""),
    "dial_failed": lambda e: (
        f"that fails: {e['text']}" + (f"; {e['advice']}" if "advice" in e else "")
    ),
    "dialled_bot": lambda e: f"the bot is connected after {_seconds(e['seconds'])}",
    "first_audio": lambda e: f"the bot sends audio after {_seconds(e['seconds'])}",
    "first_sound": lambda e: f"the caller hears the bot after {_seconds(e['seconds'])}",
    "bot_closed": lambda e: f"the bot closes the stream ({e['code']})",
    "cut_off": lambda e: (
        f"it closes with {_seconds(e['seconds'])} of its own audio still to play, which the caller"
        " never hears: send a mark, and close when it comes back"
    ),
    "breach": lambda e: f"breach: {e['rule']}: {e['said']}; {e['consequence']}",
    "stream": lambda e: "the stream's outcome: " + _outcome(e),
    "switched": lambda e: f"SwitchCase: {e.get('select') or 'nothing selected'}",
    "ring": lambda e: f"rings agent {e['number']}",
    "connected": lambda e: f"agent {e['number']} answers",
    "dialled": lambda e: f"Connect ended: {e['status']}",
    "voicemail": lambda e: "voicemail records",
    "stopped": lambda e: f"the flow stops: {e['why']}",
    "callback": lambda e: f"status callback ({e['event']}) to {e['url']}",
    "callback_answer": lambda e: f"it answers {e['status']}",
    "callback_failed": lambda e: f"no answer to it: {e['text']}",
    "ended": lambda e: "the call has ended",
}


def tell(entry: Entry) -> str | None:
    """One entry in words; None for what only machines want to know."""
    words = _WORDS.get(entry["what"])
    return None if words is None else plain_text(words(entry))[:_LONGEST]


def told_entries(entries: Iterable[Entry]) -> Iterator[Entry]:
    """The entries without the answer of a passthru that there is none of, which nobody gave."""
    unasked: set[object] = set()
    for entry in entries:
        if is_unasked(entry):
            unasked.add(entry.get("applet"))
        if entry["what"] == "answer" and entry.get("applet") in unasked:
            unasked.discard(entry.get("applet"))
        else:
            yield entry


def is_unasked(entry: Entry) -> bool:
    """Whether a passthru is due here, and none is named."""
    return entry["what"] == "passthru" and str(entry.get("url", "")).startswith(NO_PASSTHRU)


def tell_all(entries: Iterable[Entry]) -> list[str]:
    """A whole trace, with the seconds since the call began."""
    narrated = ((entry["t"], tell(entry)) for entry in told_entries(entries))
    return [f"{at:8.2f}  {text}" for at, text in narrated if text is not None]


def _told(entry: Entry) -> str:
    rate = entry.get("sample_rate")
    said = [f"at {rate} Hz"] if rate else []
    if entry.get("parameters"):
        said.append("with " + ", ".join(f"{k}={v}" for k, v in entry["parameters"].items()))
    if entry.get("credentials"):
        said.append("with credentials")
    return f"the stream goes to {entry['url']}" + "".join(f", {text}" for text in said)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def _outcome(entry: Entry) -> str:
    fields = ((k, v) for k, v in entry.items() if k not in ("t", "what", "applet"))
    return ", ".join(f"{name} {value}" for name, value in fields)


def plain_text(text: str) -> str:
    """What others sent can hold control characters; a terminal must not obey them."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
