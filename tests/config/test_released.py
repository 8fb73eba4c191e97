"""Releases and candidates in the data folder, and what a running process makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.test_live import World, changed, names, rest, rules
from switchhook.config.kept_text import Candidate, TakenOver, hash_of
from switchhook.config.last_good import KeptFolder
from switchhook.config.live import Settings, SettingsKeeper
from switchhook.config.released import ReleasedRules
from switchhook.errors import ConfigError, DataFolderError
from switchhook.rules.pools_text import pools_text
from switchhook.rules.rules_file import BUILTIN

SALES, PLAIN, POOLS = "rules/sales", "rules/plain", "pools"
CONFIG = """
[bots.voice.members.a]
url = "wss://a.example/s"
weight = 50
[bots.voice.members.b]
url = "wss://b.example/s"
weight = 50
[endpoints.sales]
rules = "sales.toml"
[endpoints.plain]
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.config.write_text(CONFIG)
    return world


def releases(world: World) -> ReleasedRules:
    """Another process than the one that runs."""
    return ReleasedRules(world.data, now=world.now)


def running(world: World, subject: str) -> TakenOver:
    found = releases(world).running(subject)
    assert found is not None
    return found


def candidate(number: int, text: str) -> Candidate:
    return Candidate(number, hash_of(text), text)


def weights(settings: Settings) -> dict[str, int]:
    return {each.name: each.weight for each in settings.config.pools[0].members}


def weighted(a: int, b: int) -> str:
    """A text of the pool with other weights."""
    return f"[voice.members.a]\nweight = {a}\n[voice.members.b]\nweight = {b}\n"


def test_a_release_runs_from_the_next_look_on(world: World) -> None:
    keeper, before = world.start()
    releases(world).run(SALES, rules("two"), release=12, by="asha")
    settings, taken = keeper.poll()
    assert settings is not None
    assert names(settings) == ["two"]
    assert [(each.name, each.by) for each in taken] == [(SALES, "asha")]
    source = next(each for each in settings.sources if each.name == SALES)
    assert source.release == 12
    assert settings.complaints == (), "it is as it should be"
    problem = (
        f"{world.sales} still holds other rules than release 12, which runs;"
        " an edit brings all of it into force"
    )
    assert [(each.problem, each.refused) for each in settings.unused] == [(problem, False)]
    assert before.complaints == ()


def test_a_release_outlives_restarts_and_ends_by_an_edit(world: World) -> None:
    world.start()
    releases(world).run(SALES, rules("two"), release=12, by="asha")
    keeper, settings = world.start()
    assert names(settings) == ["two"]
    world.sales.touch()
    assert names(keeper.poll()[0] or settings) == ["two"]
    world.sales.write_text(rules("three"))
    settings = changed(keeper)
    assert (names(settings), settings.complaints) == (["three"], ())
    assert (running(world, SALES).text, running(world, SALES).release) == (rules("three"), 0)


def test_undo_goes_back_behind_a_release(world: World) -> None:
    keeper, _ = world.start()
    releases(world).run(SALES, rules("two"), release=2, by="asha")
    releases(world).run(SALES, rules("three"), release=3, by="asha")
    assert keeper.undo("sales", "ravi").release == 2
    settings = changed(keeper)
    assert names(settings) == ["two"]
    assert keeper.undo("sales", "ravi").release == 0
    settings = changed(keeper)
    assert (names(settings), settings.complaints) == (["one"], ())


def test_an_endpoint_without_a_file_can_be_released_to(world: World) -> None:
    keeper, before = world.start()
    assert before.rulesets["plain"] is BUILTIN
    assert releases(world).running(PLAIN) is None
    releases(world).run(PLAIN, rules("mine"), release=4, by="asha")
    settings = changed(keeper)
    assert (names(settings, "plain"), settings.complaints) == (["mine"], ())
    assert settings.unused == ()
    _, again = world.start()
    assert names(again, "plain") == ["mine"]
    releases(world).run(PLAIN, BUILTIN.text, release=5, by="asha")
    assert changed(keeper).rulesets["plain"].release == BUILTIN.release


def test_rules_that_no_file_is_named_for_any_more_wait(world: World) -> None:
    """Nothing of them runs, and nobody is told that it does; a release takes their place."""
    keeper, _ = world.start()
    world.config.write_text(CONFIG.replace('rules = "sales.toml"', ""))
    assert changed(keeper).rulesets["sales"] is BUILTIN
    assert releases(world).running(SALES) is None
    with pytest.raises(ConfigError, match="no rules that were taken over"):
        keeper.undo("sales", "asha")
    releases(world).run(SALES, rules("two"), release=2, by="asha")
    settings = changed(keeper)
    assert names(settings) == ["two"]
    world.config.write_text(CONFIG)
    assert names(changed(keeper)) == ["one"], "the file is named anew: an edit in place"


def test_a_release_to_an_endpoint_that_can_not_run_it_changes_nothing(world: World) -> None:
    """While something runs it goes on; a start takes what ran before it, and says so."""
    keeper, _ = world.start()
    releases(world).run(SALES, rules("two"), release=2, by="asha")
    changed(keeper)
    newer = rules("three").replace("stream.cause", "stream.of_a_newer_version")
    releases(world).run(SALES, newer, release=3, by="asha")
    settings, taken = rest(keeper)
    assert settings is not None
    assert (names(settings), taken) == (["two"], ())
    assert "of_a_newer_version" in settings.complaints[0]
    _, again = world.start()
    assert names(again) == ["two"]
    assert "release 3 can't run here" in again.complaints[0]
    assert running(world, SALES).release == 3
    releases(world).run(PLAIN, newer, release=4, by="asha")
    _, last = world.start()
    assert last.rulesets["plain"] is BUILTIN
    assert "rules of endpoint plain: release 4 can't run here" in last.complaints[-1]


def test_a_damaged_release_is_kept_anew_while_it_runs(world: World) -> None:
    keeper, _ = world.start()
    releases(world).run(SALES, rules("two"), release=2, by="asha")
    changed(keeper)
    file = KeptFolder(world.data).file_of(SALES)
    file.write_bytes(b"\0" * 100)
    rest(keeper)
    assert running(world, SALES).release == 2
    _, again = world.start()
    assert names(again) == ["two"], "the file, which was overruled, is not taken over"


def test_a_candidate_is_loaded_beside_what_runs(world: World) -> None:
    keeper, _ = world.start()
    releases(world).propose(SALES, candidate(7, rules("two")))
    settings = changed(keeper)
    assert names(settings) == ["one"]
    assert settings.candidates["sales"].release == hash_of(rules("two"))
    _, again = world.start()
    assert list(again.candidates) == ["sales"]
    releases(world).propose(SALES, None)
    assert changed(keeper).candidates == {}
    releases(world).propose(SALES, None)
    assert rest(keeper) == (None, ())


def test_a_candidate_beside_the_built_in_rules(world: World) -> None:
    keeper, _ = world.start()
    releases(world).propose(PLAIN, candidate(7, rules("two")))
    assert list(changed(keeper).candidates) == ["plain"]
    releases(world).run(PLAIN, rules("two"), release=7, by="asha")
    assert changed(keeper).candidates == {}


def test_a_candidate_ends_with_what_it_was_proposed_beside(world: World) -> None:
    """By an edit in place, in every process and without a word; by a release for good."""
    keeper, _ = world.start()
    releases(world).propose(SALES, candidate(7, rules("two")))
    changed(keeper)
    world.sales.write_text(rules("edited"))
    settings = changed(keeper)
    assert (settings.candidates, settings.complaints) == ({}, ())
    assert (found := releases(world).candidate(SALES)) is not None
    assert found.number == 7
    releases(world).run(SALES, rules("one"), release=1, by="asha")
    assert releases(world).candidate(SALES) is not None
    releases(world).run(SALES, rules("two"), release=7, by="asha")
    assert releases(world).candidate(SALES) is None


@pytest.mark.parametrize(
    "spoilt, said",
    [
        (b"\0\0", "candidate-rules-sales.json is damaged"),
        (None, "candidate-rules-sales.json is damaged"),
        (b'{"format": 9}', "was written by a newer version (format 9)"),
    ],
)
def test_a_candidate_that_is_not_whole_decides_for_nobody(
    world: World, spoilt: bytes | None, said: str
) -> None:
    """Damaged, half synced (its text is not the one of its hash), or of a newer version."""
    keeper, _ = world.start()
    text = rules("two")
    hash = hash_of(text) if spoilt is not None else hash_of("another")
    releases(world).propose(SALES, Candidate(7, hash, text))
    if spoilt is not None:
        KeptFolder(world.data).candidate_file(SALES).write_bytes(spoilt)
    settings = changed(keeper)
    assert settings.candidates == {}
    (complaint,) = settings.complaints
    assert said in complaint
    assert complaint.endswith("; what runs decides for all callers")
    releases(world).propose(SALES, candidate(7, text))
    settings = changed(keeper)
    assert (list(settings.candidates), settings.complaints) == (["sales"], ())


def test_a_candidate_that_can_not_be_loaded_decides_for_nobody(world: World) -> None:
    keeper, _ = world.start()
    releases(world).propose(SALES, candidate(7, rules("two").replace("stream.", "strem.")))
    settings = changed(keeper)
    assert settings.candidates == {}
    assert settings.complaints[0].startswith(
        'the candidate of rules/sales decides for nobody: release 7:3: rule "two", column 1'
    )
    _, again = world.start()
    assert again.candidates == {}


def test_released_weights_run_until_the_configuration_says_others(world: World) -> None:
    keeper, before = world.start()
    assert weights(before) == {"a": 50, "b": 50}
    releases(world).run(POOLS, weighted(90, 10), release=3, by="asha")
    settings, taken = keeper.poll()
    assert settings is not None
    assert weights(settings) == {"a": 90, "b": 10}
    assert [(each.name, each.by) for each in taken] == [("pools", "asha")]
    assert settings.complaints == (), "it is as it should be"
    problem = f"{world.config} still holds other weights than release 3, which runs"
    assert [(each.problem, each.refused) for each in settings.unused] == [(problem, False)]
    assert weights(world.start()[1]) == {"a": 90, "b": 10}
    world.config.write_text(CONFIG.replace("weight = 50", "weight = 70", 1))
    settings = changed(keeper)
    assert weights(settings) == {"a": 70, "b": 10}, "what was edited, and no more"
    assert settings.complaints == ()
    assert running(world, POOLS).release == 0
    assert weights(world.start()[1]) == {"a": 70, "b": 10}


def test_a_member_that_comes_or_goes_leaves_the_released_weights(world: World) -> None:
    keeper, _ = world.start()
    releases(world).run(POOLS, weighted(90, 10), release=3, by="asha")
    changed(keeper)
    more = '[bots.voice.members.c]\nurl = "wss://c.example/s"\nweight = 7\n[endpoints.sales]'
    world.config.write_text(CONFIG.replace("[endpoints.sales]", more))
    assert weights(changed(keeper)) == {"a": 90, "b": 10, "c": 7}
    start, end = CONFIG.index("[bots.voice.members.b]"), CONFIG.index("[endpoints.sales]")
    world.config.write_text(CONFIG[:start] + CONFIG[end:])
    settings = changed(keeper)
    assert weights(settings) == {"a": 90}
    assert settings.complaints == ()


def test_pools_that_a_release_names_and_that_are_gone_are_told(world: World) -> None:
    keeper, _ = world.start()
    text = weighted(90, 10) + "[voice.members.gone]\nweight = 1\n[lost]\nsticky = true\n"
    releases(world).run(POOLS, text, release=3, by="asha")
    settings = changed(keeper)
    assert weights(settings) == {"a": 90, "b": 10}
    assert settings.complaints == (
        "pools: the configuration has voice/gone, lost no more, which ran",
    )


def test_a_candidate_of_the_pools(world: World) -> None:
    keeper, _ = world.start()
    releases(world).propose(POOLS, candidate(9, weighted(0, 5)))
    settings = changed(keeper)
    found = settings.pools_candidate
    assert found is not None
    assert (found.number, [each.weight for each in found.pools[0].members]) == (9, [0, 5])
    assert weights(settings) == {"a": 50, "b": 50}
    releases(world).propose(POOLS, candidate(10, "[nobody]"))
    settings = changed(keeper)
    assert settings.pools_candidate is None
    assert "the configuration has no pool 'nobody'" in settings.complaints[0]


def test_damaged_pools_go_on_running(world: World) -> None:
    keeper, _ = world.start()
    releases(world).run(POOLS, weighted(90, 10), release=3, by="asha")
    changed(keeper)
    file = KeptFolder(world.data).file_of(POOLS)
    file.write_bytes(b"\0")
    settings = changed(keeper)
    assert weights(settings) == {"a": 90, "b": 10}
    assert "pools: what was released of them was damaged" in str(settings.damage)
    assert running(world, POOLS).release == 3
    file.unlink()
    world.clock = world.clock.replace(hour=11)
    rest(keeper)
    assert running(world, POOLS).release == 3
    file.write_bytes(b"\0")
    _, settings = world.start()
    assert weights(settings) == {"a": 50, "b": 50}, "nothing is sure: the configuration serves"
    assert any("was damaged" in each for each in settings.complaints)


def test_pools_that_a_newer_version_kept_are_left_alone(world: World) -> None:
    keeper, _ = world.start()
    file = KeptFolder(world.data).file_of(POOLS)
    file.write_bytes(b'{"format": 9}')
    settings = changed(keeper)
    assert weights(settings) == {"a": 50, "b": 50}
    assert "written by a newer version" in settings.complaints[0]
    with pytest.raises(DataFolderError, match="newer version"):
        world.keeper().start()


def test_without_pools_nothing_is_kept_of_them(world: World) -> None:
    world.config.write_text(CONFIG[CONFIG.index("[endpoints.sales]") :])
    _, settings = world.start()
    assert settings.config.pools == ()
    assert releases(world).running(POOLS) is None
    assert not KeptFolder(world.data).file_of(POOLS).exists()


def test_weights_released_before_anybody_looked(world: World) -> None:
    releases(world).run(POOLS, weighted(1, 2), release=1, by="asha")
    assert weights(world.start()[1]) == {"a": 1, "b": 2}


def test_what_runs_is_kept_whole(world: World) -> None:
    _, settings = world.start()
    assert running(world, POOLS).text == pools_text(settings.config.pools)
    assert running(world, SALES).text == rules("one")


@pytest.mark.parametrize("subject", ["rules/../x", "rules/", "flows", "rules/a/b"])
def test_what_is_no_subject_becomes_no_path(world: World, subject: str) -> None:
    with pytest.raises(ConfigError, match="no such endpoint"):
        releases(world).running(subject)
    with pytest.raises(ConfigError, match="no such endpoint"):
        releases(world).propose(subject, None)


def test_a_folder_that_can_not_be_written_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.start()

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("switchhook.config.kept_files.atomic_write", refuse)
    with pytest.raises(DataFolderError, match="release 3 can't be put in place: no space left"):
        releases(world).run(SALES, rules("two"), release=3, by="asha")
    with pytest.raises(DataFolderError, match="the candidate can't be put in place"):
        releases(world).propose(SALES, candidate(3, rules("two")))


def test_two_at_once_each_leave_something_whole(world: World) -> None:
    """The lock is waited for: both releases are in the history, and one of them runs."""
    keeper, _ = world.start()
    one, two = releases(world), ReleasedRules(world.data)
    one.run(SALES, rules("two"), release=2, by="asha")
    two.run(SALES, rules("three"), release=3, by="ravi")
    assert [each.release for each in keeper.history("sales")] == [0, 2, 3]


def test_a_keeper_needs_no_file_of_its_own(tmp_path: Path) -> None:
    keeper = SettingsKeeper(tmp_path / "data", None, environ=os.environ)
    assert keeper.start().config.pools == ()
    ReleasedRules(tmp_path / "data").run("rules/default", rules("x"), release=1, by="asha")
    settings, _ = keeper.poll()
    assert settings is not None
    assert names(settings, "default") == ["x"]
