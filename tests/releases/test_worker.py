"""Candidates looked after: told to answer processes, heard of in the journal, taken on or back."""

from __future__ import annotations

import logging
import os
from contextlib import ExitStack

import msgspec
import pytest

from releases.calls_told import Calls
from releases.made import text, wanted
from switchhook.access.audit import AuditFilter, Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.capacity.facts_file import FILE, FactsFile, FactsReader
from switchhook.config import Config
from switchhook.config.values import EndpointConfig
from switchhook.errors import JournalError, LedgerError
from switchhook.exotel.times import DAY_MS, MINUTE_MS
from switchhook.releases.candidates_watch import Terms
from switchhook.releases.doubts import SWITCHHOOK
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.release import ReleaseAct, ReleaseState
from switchhook.releases.releasing import Releasing
from switchhook.releases.settings import RolloutSettings
from switchhook.releases.stages import Volume
from switchhook.releases.view import RolloutView, ShadowView
from switchhook.releases.worker import ReleasesWorker
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rollout import Rollout, seen_by
from switchhook.server.rollouts import trial_of
from switchhook.server.running import FolderRunning
from switchhook.streams.fold import Folded
from switchhook.streams.parsed_record import parse_record

SUBJECT, BEGUN = "rules/gate", ReleaseAct.CANARY
SETTINGS = RolloutSettings(exclude_points=20, least_stage_min=10)


class World:
    """A console that looks after releases, an answer process that is told, and callers.

    The journal is in memory: `calls.records`, of which the fold has told `folded`.
    """

    def __init__(self, folder, ledger):
        self.folder, self.ledger = folder, ledger
        self.config = Config(
            endpoints=(EndpointConfig(name="gate", kind=EndpointKind.ADMIT),), releases=SETTINGS
        )
        self.node, self.told_to, self.before = 3, 0, {}
        self.calls = Calls(lambda *_: None)
        self.reader = FactsReader(folder)
        self.broken: Exception | None = None
        self.worker = self.another()

    @property
    def now(self):
        return self.calls.now

    def another(self):
        """A console that starts."""
        releasing = Releasing(
            LedgerReleases(self.ledger), FolderRunning(self.folder, lambda: self.config), self.time
        )
        self.worker = ReleasesWorker(
            releasing,
            FactsFile(self.folder),
            self,
            self,
            node=self.node,
            now_ms=self.time,
            mono_ms=self.time,
        )
        self.releasing = releasing
        self.worker.begin()
        self.step()
        return self.worker

    def step(self):
        """What its two threads do, once."""
        while self.worker.hear():
            pass
        self.worker.look()

    def time(self):
        return self.calls.now

    # As the journal.

    def last_seq(self):
        return self.calls.seq

    def read(self, after_seq, limit):
        return self.calls.records[after_seq : after_seq + limit]

    def get_many(self, seqs):
        return {each.seq: each for each in self.calls.records if each.seq in set(seqs)}

    def seq_of(self, origin):
        return origin.seq if origin.node == self.node else None

    def first_seq(self):
        return 1

    def size_bytes(self):
        return 0

    def seek(self, at_ms, *, low=1, high=None, time_of=None):
        return next((each.seq for each in self.calls.records if each.at >= at_ms), self.calls.seq)

    # As what the worker asks of what runs.

    def terms(self, candidates):
        if self.broken is not None:
            raise self.broken
        return Terms(
            settings=SETTINGS,
            kinds={each.name: each.kind for each in self.config.endpoints},
            runs={each.subject: each.hash for each in self.releasing_texts()},
            loaded={
                each.release.number: trial_of(self.config, each.release, dict)
                for each in candidates
            },
        )

    def releasing_texts(self):
        return FolderRunning(self.folder, lambda: self.config).texts()

    def endpoints(self, subject):
        return ("gate", "after")

    def volume(self, subject):
        return Volume(count=5_000, span_ms=DAY_MS)

    def foretold(self, number):
        return {}

    # What happens.

    def release(self, of="B"):
        made, _ = self.releasing.add(SUBJECT, text(of), "asha", "try it", note)
        return made.release.number

    def act(self, number, act, **more):
        self.releasing.act(number, wanted(act, **more), note)
        self.look()

    def state(self, number):
        return self.releasing.releases.standing(number).state

    def fold(self):
        """The fold tells of what is new."""
        new = [parse_record(each) for each in self.calls.records[self.told_to :]]
        if new:
            self.told_to = new[-1].record.seq
            self.worker.folded(Folded(tuple(new), self.told_to))

    def look(self):
        self.fold()
        self.calls.later(300)
        self.step()

    def told(self):
        """What the answer process goes by now."""
        return self.reader.look(self.now, self.now)[1].rollouts.get(SUBJECT)

    def call(self, times, *, canary="well", control="well", throttled=0):
        """So many callers, each once, a second apart; the answer process knows their side."""
        for _ in range(times):
            number = f"09{self.calls.seq:09}"
            rollout = self.told()
            seen = None if rollout is None else seen_by(rollout, number)
            call = f"c{self.calls.seq}"
            self.calls.asks_room(call, seen, number=number)
            how = control if seen is None or not seen.canary else canary
            self.calls.ends(call, "throttled" if throttled else how, number=number)
            self.calls.later(1_000)


@pytest.fixture
def world(tmp_path, ledger):
    return World(tmp_path, ledger)


@pytest.fixture
def canary(world):
    """A world with a canary at 50 %."""
    world.number = world.release()
    world.act(world.number, BEGUN, share=5_000)
    return world


def note(what, subject, details):
    return Deed(who="asha", what=what, subject=subject, details=details)


def deeds(world):
    return [(each.who, each.what) for each in LedgerAudit(world.ledger).entries(AuditFilter(), 100)]


# What answer processes are told.


def test_without_a_candidate_nothing_is_told(world):
    world.call(3)
    world.look()
    assert not (world.folder / FILE).exists()


def test_a_canary_is_told_at_once_with_its_share_and_gone_at_once_when_it_is_stopped(canary):
    told = canary.told()
    assert (told.number, told.share) == (canary.number, 5_000)
    canary.act(canary.number, ReleaseAct.STOP)
    assert canary.told() is None


def test_a_console_that_is_gone_lets_the_canary_go_after_five_minutes(canary):
    canary.calls.later(5 * MINUTE_MS - 1_000)
    assert canary.told().share == 5_000
    canary.calls.later(2_000)
    assert canary.told() is None
    canary.look()
    assert canary.told().share == 5_000


def test_a_fold_that_lags_is_as_good_as_gone_and_takes_nothing_further(canary):
    canary.call(500)
    canary.look()
    for _ in range(15):
        canary.calls.asks_room("behind")  # it is not folded
        canary.calls.later(MINUTE_MS)
        canary.step()
    assert canary.told() is None
    assert canary.state(canary.number) is ReleaseState.CANARY
    (_, view), *_ = canary.worker.seen().candidates
    assert view.unwatched.startswith("the console is 15 min behind the journal")
    assert canary.worker.seen().behind_ms >= 14 * MINUTE_MS
    canary.look()
    canary.look()
    assert canary.told() is None or canary.told().share == 5_000


def test_a_ledger_that_can_not_be_read_is_as_good_as_gone(canary):
    canary.broken = LedgerError("ledger", "it can't be read", "see why")
    for _ in range(6):
        canary.calls.later(MINUTE_MS)
        canary.step()
    assert "it can't be read" in canary.worker.problem
    assert canary.told() is None
    canary.broken = None
    canary.look()
    assert (canary.worker.problem, canary.told().share) == ("", 5_000)


# What follows.


def test_a_release_that_harms_is_taken_back_by_itself_and_its_evidence_kept(canary):
    canary.call(60, canary="failed")
    canary.look()
    number = canary.number
    assert canary.state(number) is ReleaseState.FROZEN
    assert canary.told() is None
    step = canary.releasing.releases.steps(number)[-1]
    assert (step.act, step.by) == (ReleaseAct.FREEZE, SWITCHHOOK)
    assert "canary callers" in step.evidence
    assert (SWITCHHOOK, "froze a release") in deeds(canary)
    story = canary.worker.view(number)
    assert isinstance(story, RolloutView)
    assert story.judged.harm
    assert story.ended_ms is not None
    assert story.told_share == 0
    assert any(each.canary and each.what == "the stream failed" for each in story.callers)
    (frozen,) = canary.worker.seen().frozen
    assert (frozen.number, frozen.subject, frozen.share) == (number, SUBJECT, 5_000)
    assert canary.releasing.running.candidates() == {}


def test_harm_is_told_before_anything_else_and_though_the_ledger_fails(canary):
    canary.call(60, canary="failed")
    canary.broken = LedgerError("ledger", "it can't be read", "see why")
    canary.look()
    assert canary.told().share == 0
    assert canary.state(canary.number) is ReleaseState.CANARY
    canary.broken = None
    canary.look()
    assert canary.state(canary.number) is ReleaseState.FROZEN


def test_a_harmless_one_goes_to_all_by_itself(world):
    number = world.release()
    world.act(number, BEGUN, share=2_500)
    shares = [2_500]
    for _ in range(60):
        if world.state(number) is not ReleaseState.CANARY:
            break
        world.call(60, canary="well", control="well")
        world.look()
        rollout = world.told()
        if rollout is not None and rollout.share != shares[-1]:
            shares.append(rollout.share)
    assert shares == [2_500, 5_000]
    assert world.state(number) is ReleaseState.FULL
    assert world.told() is None
    assert [each.hash for each in world.releasing.texts()] == [
        world.releasing.releases.standing(number).release.hash
    ]
    steps = world.releasing.releases.steps(number)
    assert [(each.act, each.by) for each in steps[-2:]] == [
        (ReleaseAct.CANARY, SWITCHHOOK),
        (ReleaseAct.PROMOTE, SWITCHHOOK),
    ]
    assert all("nothing speaks for harm" in each.evidence for each in steps[-2:])


def test_what_the_limit_refuses_harms_nobodys_release_and_holds_it(canary):
    canary.call(400, throttled=1)
    canary.look()
    assert canary.state(canary.number) is ReleaseState.CANARY
    (_, view), *_ = canary.worker.seen().candidates
    assert "the account's limit refused 400 streams" in view.plan
    assert not any(each.canary_failed for each in view.judged.measures if "stream" in each.name)


def test_a_person_who_is_quicker_is_not_overruled(canary):
    canary.call(600)
    canary.fold()
    canary.releasing.act(canary.number, wanted(ReleaseAct.STOP), note)
    canary.look()
    assert canary.state(canary.number) is ReleaseState.CHECKED
    assert canary.told() is None


def test_an_edit_in_place_ends_the_canary_as_its_ground_is_gone(canary, caplog):
    canary.releasing.running.run(msgspec.structs.replace(edited(canary), number=0), "asha")
    canary.calls.later(1_000)
    with caplog.at_level(logging.INFO, "switchhook.releases.worker"):
        canary.look()
    assert "release 3 of the rules of gate is what runs" in caplog.messages
    assert f"release {canary.number} of the rules of gate is checked" in caplog.messages
    assert canary.state(canary.number) is ReleaseState.CHECKED
    assert canary.told() is None


def test_a_canary_whose_copy_is_damaged_is_stopped_and_told_until_somebody_acts(canary):
    (copy,) = (canary.folder / "kept").glob("candidate-*.json")
    copy.write_text("rubbish")
    canary.calls.later(1_000)
    canary.look()
    assert canary.state(canary.number) is ReleaseState.CHECKED
    seen = canary.worker.seen()
    assert [(each.number, each.share) for each in seen.damaged] == [(canary.number, 5_000)]
    assert seen.frozen == ()
    assert canary.another().seen().damaged == seen.damaged
    canary.calls.later(2_000)
    canary.act(canary.number, BEGUN, share=2_500)
    canary.calls.later(1_000)
    canary.look()
    assert canary.worker.seen().damaged == ()
    canary.act(canary.number, ReleaseAct.STOP)
    canary.calls.later(1_000)
    canary.look()
    assert canary.worker.seen().damaged == ()


def edited(world):
    made = world.releasing.releases.standing(world.number).release
    return msgspec.structs.replace(made, text=text("A other"))


# Restarts.


def test_a_restart_in_the_middle_goes_on_with_the_same_evidence(canary):
    canary.call(30, canary="failed", control="failed")
    canary.look()
    canary.calls.later(5_000)
    canary.look()
    before = canary.worker.view(canary.number).judged
    assert before.callers == 30
    canary.call(10)  # nobody folds or keeps these
    canary.another()
    for _ in range(3):
        canary.calls.later(300)
        canary.step()
    after = canary.worker.view(canary.number)
    assert after.judged.callers == 40
    assert after.judged.measures[0].canary_failed == before.measures[0].canary_failed
    assert canary.told().share == 5_000
    assert [each.share for each in after.stages] == [5_000]
    assert len(after.callers) >= 30


def test_until_it_has_caught_up_a_console_that_starts_tells_nothing(canary):
    canary.call(20)
    written = (canary.folder / FILE).read_bytes()

    def refuse(after_seq, limit):
        raise JournalError("1", "it can't be read", "see the disk")

    canary.read = refuse
    canary.another()
    assert (canary.folder / FILE).read_bytes() == written
    del canary.read
    canary.look()
    assert (canary.folder / FILE).read_bytes() != written


def test_a_canary_that_is_begun_again_goes_on_with_its_evidence(canary):
    canary.call(30)
    canary.look()
    canary.act(canary.number, ReleaseAct.STOP)
    canary.call(20)
    canary.look()
    canary.act(canary.number, BEGUN, share=5_000)
    canary.call(10)
    canary.look()
    assert canary.worker.view(canary.number).judged.callers == 40


# Shadow.


def test_a_shadow_is_told_to_nobody_and_counts_what_it_would_have_given(world):
    number = world.release("B")
    world.act(number, ReleaseAct.SHADOW)
    world.call(5)
    world.look()
    assert world.told() is None
    view = world.worker.view(number)
    assert isinstance(view, ShadowView)
    assert (view.seen, view.different) == (5, 5)
    world.call(2)
    world.another()
    world.calls.later(300)
    world.step()
    assert world.worker.view(number).seen == 7
    world.act(number, ReleaseAct.STOP)
    assert world.worker.view(number).seen == 7


def test_a_stage_that_a_console_did_not_keep_is_there_after_a_restart(canary):
    """It was killed seconds into a stage, of which nothing was left then."""
    canary.call(20)
    canary.look()
    canary.worker.stop()
    for share in (4_100, 6_000):  # while no console runs
        canary.calls.later(MINUTE_MS)
        canary.releasing.act(canary.number, wanted(BEGUN, share=share), note)
    canary.another()
    canary.look()
    canary.call(10)
    canary.look()
    view = canary.worker.view(canary.number)
    assert [(each.share, each.state.value, each.decided) for each in view.stages[:3]] == [
        (5_000, "done", 20),
        (4_100, "done", 0),
        (6_000, "now", 10),
    ]
    assert [each.ended_ms for each in view.stages[:2]] == [
        each.begun_ms for each in view.stages[1:3]
    ]


def test_a_canary_that_is_stopped_while_no_console_runs_ended_then(canary):
    canary.call(5)
    canary.look()
    canary.worker.stop()
    canary.calls.later(MINUTE_MS)
    canary.releasing.act(canary.number, wanted(ReleaseAct.STOP), note)
    stopped = canary.releasing.releases.standing(canary.number).since_ms
    canary.calls.later(MINUTE_MS)
    canary.another()
    assert canary.worker.view(canary.number).ended_ms == stopped


def test_the_callers_of_before_another_release_ran_are_told_apart(canary):
    canary.call(20)
    canary.look()
    canary.act(canary.number, ReleaseAct.STOP)
    other = canary.release("A")
    canary.act(other, ReleaseAct.PROMOTE)
    canary.act(canary.number, BEGUN, share=5_000)
    canary.call(10)
    canary.look()
    view = canary.worker.view(canary.number)
    assert [(each.decided, each.uncounted, each.counted > 0) for each in view.stages[:2]] == [
        (20, True, False),
        (10, False, True),
    ]
    assert view.since_ms == view.stages[1].begun_ms


# Its thread.


def test_it_looks_by_itself_and_keeps_what_it_knows_at_the_end(canary):
    canary.worker.start()
    canary.call(5)
    canary.fold()
    canary.worker.stop()
    report = canary.releasing.releases.reports(canary.number)
    assert {"rollout", "rollout view"} <= report.keys()
    assert not canary.worker._hearing.runs
    assert not canary.worker._looks.runs


def test_facts_that_can_not_be_told_are_said(canary):
    with ExitStack() as held:
        place = canary.folder / f"{FILE}.new"
        place.mkdir()
        held.callback(os.rmdir, place)
        canary.act(canary.number, ReleaseAct.STOP)
        assert "answer processes can't be told of canaries" in canary.worker.problem
    canary.look()
    assert canary.worker.problem == ""
    assert canary.told() is None


def test_the_gist_changes_with_what_people_see(canary):
    before = canary.worker.gist()
    assert canary.worker.gist() == before
    canary.act(canary.number, BEGUN, share=7_500)
    assert canary.worker.gist() != before


def test_rollouts_are_named_by_subject_and_hash(canary):
    made = canary.releasing.releases.standing(canary.number).release
    assert canary.told() == Rollout(
        subject=SUBJECT, number=made.number, hash=made.hash, share=5_000
    )
