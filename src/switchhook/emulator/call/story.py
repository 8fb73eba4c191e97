"""A call's story, for whoever wrote the bot or the server: a line for each thing worth knowing.

It is told from a trace, while it is fresh or when it was kept. Every entry: `narration`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.emulator.call.narration import (
    UNASKED,
    is_unasked,
    plain_text,
    tell,
    told_entries,
)
from switchhook.exotel.close_codes import meaning_of
from switchhook.exotel.phone_numbers import masked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.emulator.call.trace import Entry

_CLEAN = (1000, 1001, 1005)
_AT_ONCE_S = 2.0
_MADE_FOR_TWILIO = (
    "a bot that was made for Twilio fails here where it reads `streamSid` of `start`: Exotel sends"
    " `stream_sid`, and 16-bit PCM in place of mu-law"
)
_CALL_ENDS = {
    "caller": "the caller hung up",
    "flow": "the flow ended",
    "limit": "its time was over",
    "busy": "the line was busy",
    "no-answer": "nobody answered",
    "failed": "it could not be put through",
    "declined": "they pressed it away",
}


class StoryLine(msgspec.Struct, frozen=True):
    """One line: what it is about, in a word, and what is said; `bad` for what wants mending."""

    label: str
    text: str
    bad: bool = False


class _Breach(msgspec.Struct):
    said: str
    consequence: str
    count: int = 1


class _Stream(msgspec.Struct):
    """What is known of one stream by its entries."""

    applet: str
    url: str = ""
    tries: int = 0
    failure: Entry | None = None
    connected_s: float | None = None
    first_audio_s: float | None = None
    first_sound_s: float | None = None
    closed: Entry | None = None
    cut_off_s: float = 0.0
    breaches: dict[str, _Breach] = {}
    media: Entry = {}
    outcome: Entry = {}


def story(
    head: Entry, entries: Iterable[Entry], explained: set[str] | None = None
) -> list[StoryLine]:
    """Tell a call by the first line of its trace and the entries after it.

    A rule in `explained` is only counted; those explained here are added.
    """
    telling = _Telling(set() if explained is None else explained)
    for entry in told_entries(entries):
        telling.take(entry)
    return [_opening(head), *telling.lines()]


def calls_in(entries: Iterable[Entry]) -> list[tuple[Entry, list[Entry]]]:
    """The calls of a file of traces: the first line of each, and its entries."""
    found: list[tuple[Entry, list[Entry]]] = []
    for entry in entries:
        if "what" not in entry and "call" in entry:
            found.append((entry, []))
        elif found and "what" in entry and "t" in entry:
            found[-1][1].append(entry)
    return found


def _opening(head: Entry) -> StoryLine:
    who = masked(str(head.get("from", "")))
    to = head.get("exophone", "")
    way = f"{to} calls {who}" if head.get("direction") == "outbound" else f"{who} calls {to}"
    at = f"{str(head.get('created', ''))[11:19]} IST"
    return StoryLine(at, plain_text(f"{way}, CallSid {head.get('call', '')}"))


class _Telling:
    """Makes lines of entries, in the order in which things ended."""

    def __init__(self, explained: set[str]) -> None:
        self._explained = explained
        self._lines: list[StoryLine] = []
        self._open: dict[str, _Stream] = {}

    def lines(self) -> list[StoryLine]:
        """All of it; streams that have not ended are told as far as they came."""
        for stream in list(self._open.values()):
            self._tell(stream)
        self._open.clear()
        return self._lines

    def _add(self, label: str, text: str, *, bad: bool = False) -> None:
        line = StoryLine(label, plain_text(text), bad)
        if label not in ("fault", "warning", "breach") or line not in self._lines:
            self._lines.append(line)

    def take(self, entry: Entry) -> None:
        """One more entry."""
        if not self._take_stream(entry):
            self._take_call(entry)

    def _take_stream(self, entry: Entry) -> bool:
        """Whether it is about a stream."""
        what = entry["what"]
        if what in ("dial", "throttled"):
            stream = self._stream(entry, new=entry.get("attempt", 1) == 1)
            stream.url, stream.tries = entry.get("url", ""), entry.get("attempt", 0)
        elif what == "stream":
            # An outcome without a stream: the caller had left before there was one.
            self._stream(entry).outcome = entry
            self._tell(self._open.pop(self._name(entry)))
        elif what in _FACTS and self._open:
            _FACTS[what](self._stream(entry), entry)
            if what == "media" and entry.get("one_way"):
                self._tell(self._open.pop(self._name(entry)))
        else:
            return False
        if what == "throttled":
            stream.failure = entry
        return True

    def _name(self, entry: Entry) -> str:
        """Which stream: older traces name it seldom, and mean the newest then."""
        return str(entry.get("applet") or next(reversed(self._open), ""))

    def _stream(self, entry: Entry, *, new: bool = False) -> _Stream:
        name = self._name(entry)
        if new or name not in self._open:
            self._open[name] = _Stream(applet=name)
        return self._open[name]

    def _take_call(self, entry: Entry) -> None:
        name = f"“{entry['applet']}”: " if "applet" in entry else ""
        match entry["what"]:
            case "passthru" if is_unasked(entry):
                self._add("passthru", f"{name}{UNASKED}")
            case "answer":
                option = "A" if entry["status"] == 200 else "B"
                how = f"{entry['status']} after {_seconds(entry['seconds'])}: Option {option}"
                self._add("passthru", f"{name}answered {how}")
            case "no_answer":
                self._add("passthru", f"{name}{tell(entry)}: Option B", bad=True)
            case "dynamic_url_answer":
                took = f" after {_seconds(entry['seconds'])}" if "seconds" in entry else ""
                self._add("address", f"{name}answered {entry['status']}{took}")
            case "stream_url":
                self._add("address", str(tell(entry)))
            case "switched":
                self._add("select", f"{tell(entry)}, so to “{entry.get('next') or 'nothing'}”")
            case "dialled":
                self._add("people", f"Connect ended: {entry['status']}")
            case "fault":
                self._add("fault", f"{entry['fault']}, as the plan wants it")
            case "warning" | "refused_to_dial" | "stopped":
                self._add("warning", str(entry.get("text") or entry.get("why")), bad=True)
            case "ended":
                ending = _CALL_ENDS.get(str(entry.get("by")), "it ended")
                self._add("call", f"{ending} after {_seconds(entry['t'])}")

    def _tell(self, stream: _Stream) -> None:
        self._tell_set_up(stream)
        if stream.connected_s is None:
            return
        if not stream.media.get("one_way"):
            self._tell_sound(stream)
        counts: dict[str, int] = stream.media.get("breaches") or {}
        for rule, breach in stream.breaches.items():
            times = counts.get(rule, breach.count)
            often = f"{rule}, {times:,} times" if times > 1 else rule
            if rule in self._explained:
                self._add("breach", f"{often} (explained above)", bad=True)
            else:
                self._add("breach", f"{often}: {breach.said}; {breach.consequence}", bad=True)
            self._explained.add(rule)
        self._tell_end(stream)

    def _tell_set_up(self, stream: _Stream) -> None:
        failure, status = stream.failure, stream.outcome.get("Status")
        at = stream.url or f"“{stream.applet}”"
        if stream.connected_s is not None:
            again = " at the second try" if stream.tries > 1 else ""
            kind = ", one way" if stream.media.get("one_way") else ""
            self._add("set-up", f"{at} connected after {_seconds(stream.connected_s)}{again}{kind}")
        elif failure is not None and failure["what"] == "throttled":
            of = f"{failure['active']} of {failure['allowed']}"
            self._add("set-up", f"no stream was free: {of} of the account are in use", bad=True)
        elif failure is not None and status != "cancelled":
            tries = f", {stream.tries} times" if stream.tries > 1 else ""
            why = failure.get("advice") or failure["text"]
            self._add("set-up", f"{at} not connected{tries}: {why}", bad=True)
        elif status == "cancelled":
            self._add("set-up", "none: the caller left before the stream was there")
        elif stream.outcome:
            self._add("set-up", f"none: {stream.outcome.get('Error', 'it failed')}", bad=True)

    def _tell_sound(self, stream: _Stream) -> None:
        media = stream.media
        heard, whole = media.get("heard_s", 0.0), media.get("seconds")
        if stream.first_audio_s is None:
            self._add("sound", "the bot never spoke: it sent no audio", bad=True)
            return
        if stream.first_sound_s is None and "seconds" in media:
            self._add("sound", "the bot sent silence only: the caller heard nothing", bad=True)
            return
        first = stream.first_sound_s if stream.first_sound_s is not None else stream.first_audio_s
        text = f"first after {_seconds(first)}; the caller hears {heard:.1f} s of the bot"
        self._add("sound", text + (f" in {whole:.1f} s" if whole is not None else ""))
        if stream.cut_off_s:
            cut_off = tell({"what": "cut_off", "seconds": stream.cut_off_s})
            self._add("sound", str(cut_off), bad=True)

    def _tell_end(self, stream: _Stream) -> None:
        after = stream.media.get("seconds")
        lasted = f" after {_seconds(after)}" if after is not None else ""
        status = stream.outcome.get("Status")
        told = f" ({status})" if status else ""
        closed = stream.closed
        if closed is None:
            by = {
                "caller": "the caller hung up",
                "limit": "the stream's time was over",
                "stop": "the flow stopped the stream",
                "flow": "the flow ended",
                "bot": "the connection broke, as a fault wants it",
            }.get(str(stream.media.get("ended_by")), "the stream goes on")
            self._add("end", f"{by}{lasted}{told}")
            return
        code = closed["code"]
        clean = code in _CLEAN
        reason = f", “{closed['reason']}”" if closed.get("reason") else ""
        if clean:
            self._add("end", f"the bot hung up (close code {code}{reason}){lasted}{told}")
            return
        means = meaning_of(code)
        text = f"the bot's connection ended with {code} ({means.meaning}{reason}){lasted}{told}"
        at_once = stream.first_audio_s is None and after is not None and after < _AT_ONCE_S
        todo = f"{means.todo}; {_MADE_FOR_TWILIO}" if at_once else means.todo
        self._add("end", f"{text}: {todo}", bad=True)


def _breach(stream: _Stream, entry: Entry) -> None:
    known = stream.breaches.get(entry["rule"])
    if known is None:
        stream.breaches[entry["rule"]] = _Breach(entry["said"], entry["consequence"])
    else:
        known.count += 1


_FACTS = {
    "dial_failed": lambda stream, entry: setattr(stream, "failure", entry),
    "dialled_bot": lambda stream, entry: setattr(stream, "connected_s", entry["seconds"]),
    "first_audio": lambda stream, entry: setattr(stream, "first_audio_s", entry["seconds"]),
    "first_sound": lambda stream, entry: setattr(stream, "first_sound_s", entry["seconds"]),
    "bot_closed": lambda stream, entry: setattr(stream, "closed", entry),
    "cut_off": lambda stream, entry: setattr(stream, "cut_off_s", entry["seconds"]),
    "media": lambda stream, entry: setattr(stream, "media", entry),
    "breach": _breach,
}


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"
