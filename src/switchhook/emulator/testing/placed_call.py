"""Calls that a test placed, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qsl

import msgspec

from switchhook.emulator.call.narration import tell_all
from switchhook.emulator.plan.plan import Act
from switchhook.emulator.sound import recording

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.emulator.call.call import Call
    from switchhook.emulator.call.trace import Entry
    from switchhook.emulator.exchange.exchange import Exchange
    from switchhook.emulator.testing.thread import LoopThread


class PassthruExchange(msgspec.Struct, frozen=True, kw_only=True):
    """One passthru request and its answer; status None where none came, `problem` says why."""

    applet: str
    query: str
    status: int | None
    body: str = ""
    seconds: float = 0.0
    problem: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """The query, decoded."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def option(self) -> str:
        """A for 200, B for anything else and for no answer."""
        return "A" if self.status == 200 else "B"


class PlacedCall:
    """A call that was placed. Asking what became of it waits for its end."""

    def __init__(self, thread: LoopThread, exchange: Exchange, call: Call) -> None:
        self._thread, self._exchange, self._call = thread, exchange, call

    def __repr__(self) -> str:
        return f"<call {self.sid}>"

    @property
    def sid(self) -> str:
        """Its CallSid."""
        return self._call.facts.sid

    def wait(self) -> Self:
        """Let time pass until the call has ended."""
        if not self._call.over.is_set():
            self._thread.run(self._ended())
        return self

    async def _ended(self) -> None:
        await self._call.over.wait()

    def hang_up(self) -> None:
        """The caller hangs up now."""
        self._thread.act(self._call.leave, "caller")

    def press(self, digits: str) -> None:
        """The caller presses keys now."""
        self._thread.act(self._call.press, digits)

    def say(self, text: str) -> None:
        """The caller says something now."""
        self._thread.act(self._call.hear, Act(says=text))

    @property
    def trace(self) -> list[Entry]:
        """Everything that happened so far."""
        return self._thread.do(self._call.trace.entries.copy)

    def story(self) -> str:
        """The same in words, a line for each thing."""
        return "\n".join(tell_all(self.trace))

    @property
    def passthrus(self) -> list[PassthruExchange]:
        """Every passthru of the call with its answer, in order."""
        return exchanges_in(self.wait().trace)

    @property
    def option(self) -> str | None:
        """The option that the last sync passthru led to, A or B."""
        options = [entry["option"] for entry in self.wait().trace if entry["what"] == "option"]
        return options[-1] if options else None

    @property
    def stream(self) -> dict[str, str]:
        """What became of its last stream, by Exotel's names; empty where there was none."""
        self.wait()
        return self._call.stream_outcome.fields() if self._call.stream_outcome is not None else {}

    @property
    def applets(self) -> list[str]:
        """The names of the applets that the call went through."""
        return [entry["name"] for entry in self.wait().trace if entry["what"] == "applet"]

    def recording(self) -> bytes:
        """What caller and bot said, as a WAV file. Raises KeyError where nothing was recorded."""
        sid = self.stream["StreamSID"]
        session = self._exchange.streaming.recordings[sid]
        return recording.wav(session.recorded(), session.rate)


def exchanges_in(trace: Iterable[Entry]) -> list[PassthruExchange]:
    """The passthrus of a trace, each with what came of it, in the order in which they ended."""
    exchanges: list[PassthruExchange] = []
    queries: dict[str, str] = {}
    for entry in trace:
        applet = entry.get("applet", "")
        match entry["what"]:
            case "passthru":
                queries[applet] = entry["query"]
            case "answer":
                exchanges.append(
                    PassthruExchange(
                        applet=applet,
                        query=queries[applet],
                        status=entry["status"],
                        body=entry["body"],
                        seconds=entry["seconds"],
                    )
                )
            # A bot may be refused too; that one is no passthru.
            case "no_answer" | "refused_to_dial" if applet in queries:
                exchanges.append(
                    PassthruExchange(
                        applet=applet,
                        query=queries[applet],
                        status=None,
                        seconds=entry.get("seconds", 0.0),
                        problem=f"{entry['text']} {entry.get('detail', '')}".strip(),
                    )
                )
            case _:
                pass
    return exchanges
