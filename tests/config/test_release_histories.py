"""Whatever happens to files, releases and processes, callers go where somebody sent them."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from config.test_live import World, names, rest, rules
from switchhook.config.kept_text import Candidate, hash_of
from switchhook.config.last_good import KeptFolder
from switchhook.config.live import RETRY_S
from switchhook.config.released import ReleasedRules

SUBJECT = "rules/sales"
NAMED = {rules(name): name for name in ("one", "two", "three")}
RETRY = timedelta(seconds=RETRY_S)
NAMES = st.sampled_from(["one", "two", "three"])
ACTS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["edit", "release", "propose"]), NAMES),
        st.tuples(
            st.sampled_from(["undo", "restart", "touch", "spoil", "lose", "withdraw"]),
            st.just(""),
        ),
    ),
    max_size=12,
)


class Told:
    """What people did, and what has to run by it."""

    def __init__(self) -> None:
        self.file, self.runs = "one", "one"
        self.by_file = True
        self.overruled: set[str] = set()
        self.candidate: tuple[str, str] | None = None

    def edit(self, name: str) -> None:
        # A text that was overruled waits until the file has held another.
        if name not in self.overruled:
            self.by_file |= name != self.runs
            self.runs, self.overruled = name, set()
        elif name == self.runs:
            self.overruled = set()
        self.file = name

    def put(self, name: str, release: int) -> None:
        if name != self.runs:
            held = {self.file, self.runs} if self.by_file else {self.file}
            self.overruled = (self.overruled | held) - {name}
        self.runs, self.by_file = name, not release

    def decides_beside(self) -> list[str]:
        if self.candidate is None or self.candidate[1] != self.runs:
            return []
        return [self.candidate[0]]


@settings(deadline=None, max_examples=60)
@given(ACTS)
def test_nothing_changes_what_runs_but_who_means_to(acts: list[tuple[str, str]]) -> None:
    """A broken file, a damaged or lost one of ours, and a restart at any moment change nothing."""
    with tempfile.TemporaryDirectory() as folder:
        world, told = World(Path(folder)), Told()
        keeper, running = world.start()
        releases, number = ReleasedRules(world.data, now=world.now), 1
        for act, name in acts:
            if act == "edit":
                world.sales.write_text(rules(name))
                told.edit(name)
            elif act == "release":
                number += 1
                releases.run(SUBJECT, rules(name), release=number, by="asha")
                told.put(name, number)
            elif act == "propose":
                text = rules(name)
                releases.propose(SUBJECT, Candidate(9, hash_of(text), text))
                told.candidate = name, told.runs
            elif act == "withdraw":
                releases.propose(SUBJECT, None)
                told.candidate = None
            elif act == "undo":
                before = keeper.history("sales")[-1].before
                if any(each.number == before for each in keeper.history("sales")):
                    entry = keeper.undo("sales", "asha")
                    told.put(NAMED[entry.text], entry.release)
            elif act == "restart":
                keeper, running = world.start()
            elif act == "touch":
                world.sales.touch()
            elif act == "spoil":
                world.sales.write_text("[[rule]]\n")
                running = rest(keeper)[0] or running
                world.sales.write_text(rules(told.file))
            else:
                file = KeptFolder(world.data).file_of(SUBJECT)
                file.write_bytes(b"\0\0") if number % 2 else file.unlink()
                told.overruled &= {told.file}
            world.clock = world.clock.replace(microsecond=0) + RETRY
            running = rest(keeper)[0] or running
            assert names(running) == [told.runs], (act, name)
            beside = running.candidates.get("sales")
            found = [] if beside is None else [beside.rules[0].name]
            decides = told.decides_beside()
            assert found == decides or (act == "release" and not found)
            if act == "release" and not found:
                told.candidate = None
