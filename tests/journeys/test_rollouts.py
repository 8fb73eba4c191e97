"""A canary in the real answer program, with nobody beside it but who tells the share."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from program import Program, running, until
from switchhook.capacity.facts_document import ROLLOUTS_LIVE_MS
from switchhook.capacity.facts_file import FactsFile
from switchhook.config.kept_text import Candidate, hash_of
from switchhook.config.released import ReleasedRules
from switchhook.journal import JournalReader
from switchhook.journal.receipt import Receipt, RecordKind, decode_receipt
from switchhook.rules.decide import Ruleset
from switchhook.rules.rollout import Rollout, seen_by
from switchhook.rules.rules_file import load_rules
from switchhook.streams.decided_again import decide_again
from switchhook.system.data_folder import JOURNAL, boot_id

SUBJECT = "rules/default"
RUNNING, CANDIDATE = '[default]\noption = "B"\n', '[default]\noption = "A"\n'
EDITED = "# edited\n" + RUNNING
A, B = 200, 302
CALLERS = [f"+9198{n:08}" for n in range(40)]


class World(NamedTuple):
    """The operator's files, and those who put releases in place and tell shares."""

    data: Path
    rules: Path
    options: tuple[str, ...]
    calls: Iterator[int]

    @property
    def releases(self) -> ReleasedRules:
        return ReleasedRules(self.data)

    def tell(self, share: int, lag_ms: int = 0) -> Rollout:
        """Tell a share, as a console that is behind by `lag_ms`."""
        rollout = Rollout(subject=SUBJECT, number=2, hash=hash_of(CANDIDATE), share=share)
        now, mono = time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000
        FactsFile(self.data, boot_id()).tell_rollouts([rollout], now - lag_ms, mono - lag_ms)
        return rollout

    def answered(self, program: Program, number: str) -> int:
        """What a caller gets: each call is a new one, so that none repeats another."""
        return program.ask(f"CallSid=c{next(self.calls)}&CallFrom={quote(number)}").status

    def sides(self, program: Program) -> list[int]:
        return [self.answered(program, number) for number in CALLERS]

    def wait_for(self, program: Program, status: int) -> None:
        """Until the first of the canary's callers gets that."""
        until(lambda: self.answered(program, CANARY) == status, f"{status} for {CANARY}")


def wanted(rollout: Rollout) -> list[int]:
    return [A if seen_by(rollout, number).canary else B for number in CALLERS]


HALF = Rollout(subject=SUBJECT, number=2, hash=hash_of(CANDIDATE), share=5_000)
CANARY = next(each for each in CALLERS if seen_by(HALF, each).canary)


@pytest.fixture
def world(tmp_path: Path) -> World:
    rules, config = tmp_path / "default.toml", tmp_path / "s.toml"
    rules.write_text(RUNNING)
    config.write_text('[endpoints.default]\nauth = "open"\nrules = "default.toml"\n')
    return World(tmp_path / "data", rules, ("--config", str(config)), itertools.count())


def kept(world: World) -> list[Receipt]:
    reader = JournalReader(world.data / JOURNAL)
    try:
        found = reader.read(0, 10_000)
    finally:
        reader.close()
    return [decode_receipt(each.body) for each in found if each.kind == RecordKind.PASSTHRU]


@pytest.mark.process
def test_a_caller_keeps_their_side_as_it_grows_falls_and_through_a_crash(world: World) -> None:
    with running(world.data, *world.options, command="answer") as program:
        assert set(world.sides(program)) == {B}
        world.releases.propose(SUBJECT, Candidate(2, hash_of(CANDIDATE), CANDIDATE))
        assert set(world.sides(program)) == {B}, "no share is told yet"
        half = world.tell(5_000)
        world.wait_for(program, A)
        first = world.sides(program)
        assert first == wanted(half)
        program.stop(signal.SIGKILL)
    with running(world.data, *world.options, command="answer") as program:
        assert world.sides(program) == first, "from the first answer on"
        most = world.tell(9_000)
        last = next(each for each in CALLERS if wanted_by(half, most, each))
        until(lambda: world.answered(program, last) == A, "the share to grow")
        assert world.sides(program) == wanted(most)
        world.tell(0)
        world.wait_for(program, B)
        assert set(world.sides(program)) == {B}
    receipts = kept(world)
    by_release = {each.release: each for each in map(rules_of, (RUNNING, CANDIDATE))}
    for receipt in receipts:
        again = decide_again(receipt, by_release[receipt.decision.release])
        assert again is not None
        assert again.decision == receipt.decision
    assert {each.decision.release for each in receipts if each.rollout} == set(by_release)


def wanted_by(half: Rollout, most: Rollout, number: str) -> bool:
    return seen_by(most, number).canary and not seen_by(half, number).canary


def rules_of(text: str) -> Ruleset:
    return load_rules(text, file="rules")


@pytest.mark.process
def test_unwatched_the_running_release_decides_again(world: World) -> None:
    """The console is gone, or behind: nothing says so but the age of what it told."""
    with running(world.data, *world.options, command="answer") as program:
        world.releases.propose(SUBJECT, Candidate(2, hash_of(CANDIDATE), CANDIDATE))
        world.tell(10_000)
        world.wait_for(program, A)
        world.tell(10_000, lag_ms=ROLLOUTS_LIVE_MS - 2_000)
        world.wait_for(program, B)
        problems = until(lambda: program.health()["problems"], "what is amiss")
        assert any("the console watched the canary of release 2 30" in each for each in problems)
        world.tell(10_000, lag_ms=ROLLOUTS_LIVE_MS + 1_000)
        assert set(world.sides(program)) == {B}, "a console that is behind begins no canary"
        world.tell(10_000)
        world.wait_for(program, A)
        until(lambda: not program.health()["problems"], "that it is watched again")


@pytest.mark.process
@pytest.mark.parametrize("how", ["removed", "edited", "damaged", "facts lost", "released"])
def test_a_canary_ends_without_a_console_too(world: World, how: str) -> None:
    with running(world.data, *world.options, command="answer") as program:
        world.releases.propose(SUBJECT, Candidate(2, hash_of(CANDIDATE), CANDIDATE))
        world.tell(10_000)
        world.wait_for(program, A)
        if how == "removed":
            world.releases.propose(SUBJECT, None)
        elif how == "edited":
            world.rules.write_text(EDITED)
        elif how == "damaged":
            (world.data / "kept" / "candidate-rules-default.json").write_bytes(b"\0\0")
        elif how == "facts lost":
            (world.data / "facts.json").unlink()
        else:
            world.releases.run(SUBJECT, EDITED, release=3, by="asha")
        world.wait_for(program, B)
        assert set(world.sides(program)) == {B}
        complains = any("decides for nobody" in each for each in program.health()["problems"])
        assert complains is (how == "damaged")


@pytest.mark.process
def test_a_promoted_candidate_decides_for_all_and_needs_no_facts(world: World) -> None:
    with running(world.data, *world.options, command="answer") as program:
        world.releases.propose(SUBJECT, Candidate(2, hash_of(CANDIDATE), CANDIDATE))
        world.tell(5_000)
        world.wait_for(program, A)
        world.releases.run(SUBJECT, CANDIDATE, release=2, by="asha")
        other = next(each for each in CALLERS if not seen_by(HALF, each).canary)
        until(lambda: world.answered(program, other) == A, "the others")
        (world.data / "facts.json").unlink()
        assert set(world.sides(program)) == {A}
    with running(world.data, *world.options, command="answer") as program:
        assert set(world.sides(program)) == {A}
