"""What became of many calls, by kind: a few lines where nobody reads hundreds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from switchhook.emulator.runs.doubles import Doubles
from switchhook.emulator.stream.outcome import cause_of

if TYPE_CHECKING:
    from switchhook.emulator.call.call import Call


class Summary:
    """Counts calls as they end."""

    def __init__(self) -> None:
        self.calls = 0
        self.causes: Counter[str] = Counter()
        """Calls by what became of their newest stream."""
        self.breaches: Counter[str] = Counter()
        """Calls in which a bot broke a rule, by rule."""
        self.mute = 0
        """Calls whose bot was connected and never heard."""
        self.unreached = 0
        """Calls whose bot could not be connected."""
        self.answers: Counter[str] = Counter()
        """Passthrus by how they were answered."""
        self.doubles = Doubles()

    def count(self, call: Call) -> None:
        """Count a call that has ended."""
        self.calls += 1
        self.doubles.count(call)
        self.causes[cause_of(call.stream_outcome).value] += 1
        find = call.trace.find
        self.breaches.update({entry["rule"] for entry in find("breach")})
        talks = [entry for entry in find("media") if not entry.get("one_way")]
        self.mute += bool(talks) and not find("first_sound")
        self.unreached += bool(find("dial_failed")) and not find("dialled_bot")
        self.answers.update(str(entry["status"]) for entry in find("answer"))
        self.answers.update(f"no answer ({entry['kind']})" for entry in find("no_answer"))

    @property
    def bot_failed(self) -> bool:
        """Whether a call's bot was not reached, or not heard."""
        return bool(self.mute or self.unreached)

    def lines(self) -> list[str]:
        """In words, the most frequent first; empty where one call tells all."""
        if self.calls < 2:
            return []
        lines = [f"{self.calls:,} calls by what became of their stream: {_counts(self.causes)}"]
        if self.mute:
            lines.append(f"the bot was not heard in {self.mute:,} of them")
        if self.breaches:
            lines.append(f"calls with breaches: {_counts(self.breaches)}")
        if self.answers:
            lines.append(f"passthrus by answer: {_counts(self.answers)}")
        if self.doubles.placed:
            lines.append(self.doubles.text())
        return lines


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counter.most_common())
