"""Calls as they end, each with its story."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from switchhook.cli import output
from switchhook.cli.emulate.telling import print_story
from switchhook.emulator.api.control import describe
from switchhook.emulator.call.story import story
from switchhook.emulator.exchange.watcher import Watcher
from switchhook.emulator.runs.summary import Summary

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.parameters import StreamParameters
    from switchhook.emulator.call.trace import Entry, Trace


class Ticker(Watcher):
    """Tells each call that ended, and keeps its trace where a folder is given."""

    def __init__(self, folder: Path | None, *, json: bool = False, brief: bool = False) -> None:
        self._folder, self._json, self._brief = folder, json, brief
        self._hinted = False
        self._explained: set[str] = set()
        self.summary = Summary()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Sum up, where more calls have ended than one reads."""
        if not self._json:
            for line in self.summary.lines():
                output.out.print(output.plain(line))

    def on_entry(self, trace: Trace, entry: Entry) -> None:
        """Say at once what an operator must know."""
        if entry["what"] == "refused_to_dial":
            output.err.print(output.plain(entry["text"]), style="red")
        elif entry["what"] == "speech_like":
            output.err.print(output.plain(entry["text"]))
        elif entry["what"] == "no_answer" and entry["kind"] == "refused" and not self._hinted:
            self._hinted = True
            output.err.print(
                "nobody listens at the passthru's address, so callers take Option B: start your"
                " server, or `switchhook serve`"
            )
        elif entry["what"].startswith("callback") and self._folder is not None:
            # Most callbacks go out when the call has ended and its trace is kept already.
            file = self._file(trace.call["call"])
            if file.exists():
                file.write_bytes(trace.lines())

    def on_end(self, call: Call) -> None:
        """One call: its story, or a line for programs."""
        self.summary.count(call)
        if self._json:
            answers = [_answered(e) for e in call.trace.entries if _answered(e)]
            output.print_json(describe(call) | {"passthrus": answers})
        elif self._brief:
            output.out.print(_line(call), style=_style(call))
        else:
            print_story(story(call.trace.call, call.trace.entries, self._explained))
        if self._folder is not None:
            self._file(call.facts.sid).write_bytes(call.trace.lines())

    def on_heartbeat(self, beat: Entry) -> None:
        """One attempt, one line."""
        if self._json:
            output.print_json({"heartbeat": beat})
            return
        at, how = beat["at"][11:19], beat["status"] or beat["problem"]
        text = f"{at} IST  heartbeat {beat['status_type']} of {beat['account']}: {how}"
        output.out.print(output.plain(text))

    def _file(self, sid: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{sid}.jsonl"


def _line(call: Call) -> str:
    at = call.clock.date().strftime("%H:%M:%S IST")
    number = f"{call.facts.from_[:6]}…{call.facts.from_[-2:]}"
    stream = _stream(call.stream_outcome)
    answers = " ".join(_answer(entry) for entry in call.trace.entries if _answer(entry))
    ended = {"caller": "caller hung up", "flow": "flow ended"}.get(str(call.ending), call.ending)
    return output.plain(f"{at}  {number}  {stream:38}  {answers or 'not told':32}  {ended}")


def _stream(outcome: StreamParameters | None) -> str:
    if outcome is None:
        return "no stream"
    if outcome.detailed_status is not None:
        return f"{outcome.status}: {outcome.detailed_status}"
    if outcome.error is not None:
        # Its end says what happened: "connect: connection refused".
        return f"{outcome.status}: {outcome.error.rpartition(': ')[2]}"
    lasted = f" after {outcome.duration_s} s" if outcome.duration_s is not None else ""
    return f"{outcome.status} by {outcome.disconnected_by}{lasted}"


def _answered(entry: Entry) -> Entry | None:
    """What came of a passthru, for programs; None for other entries."""
    match entry["what"]:
        case "answer" | "no_answer":
            names = ("applet", "status", "kind", "seconds")
            return {name: entry[name] for name in names if name in entry}
        case _:
            return None


def _answer(entry: Entry) -> str:
    match entry["what"]:
        case "answer":
            option = "A" if entry["status"] == 200 else "B"
            return f"{entry['status']} {option} ({entry['seconds'] * 1000:.0f} ms)"
        case "no_answer":
            return f"no answer: {entry['kind']}, so B"
        case _:
            return ""


def _style(call: Call) -> str | None:
    if call.trace.find("no_answer"):
        return "bold red"
    return (
        "yellow"
        if call.stream_outcome is not None and call.stream_outcome.status == "failed"
        else None
    )
