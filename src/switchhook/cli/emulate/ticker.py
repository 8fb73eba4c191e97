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
    from switchhook.emulator.call.trace import Entry, Trace


class Ticker(Watcher):
    """Tells each call that ended, and keeps its trace where a folder is given."""

    def __init__(self, folder: Path | None, *, json: bool = False) -> None:
        self._folder, self._json = folder, json
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
        text = f"{at}  heartbeat {beat['status_type']} of {beat['account']}: {how}"
        output.out.print(output.plain(text))

    def _file(self, sid: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{sid}.jsonl"


def _answered(entry: Entry) -> Entry | None:
    """What came of a passthru, for programs; None for other entries."""
    match entry["what"]:
        case "answer" | "no_answer":
            names = ("applet", "status", "kind", "seconds")
            return {name: entry[name] for name in names if name in entry}
        case _:
            return None
