"""What runs on a data folder, as releases ask and change it; see tests/cli/test_release.py too."""

from __future__ import annotations

import pytest

from releases.made import release
from switchhook.config import Config
from switchhook.config.kept_text import hash_of
from switchhook.config.released import ReleasedRules
from switchhook.config.values import EndpointConfig
from switchhook.rules.bot_pool import Member, Pool
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.rules_file import BUILTIN
from switchhook.server.running import BUILT_IN, FolderRunning

SALES = Pool(
    name="sales",
    members=(Member(name="a", url="wss://a.example"), Member(name="b", url="wss://b.example")),
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def running(folder, *points, pools=()):
    points = points or (EndpointConfig(name="default"),)
    config = Config(endpoints=points, pools=tuple(pools))
    return FolderRunning(folder, lambda: config)


def test_without_anything_kept_the_built_in_rules_run(folder):
    (text,) = running(folder).texts()
    assert (text.subject, text.text, text.by) == ("rules/default", BUILTIN.text, BUILT_IN)
    assert text.hash == BUILTIN.release


def test_what_a_file_will_be_is_not_known_before_it_ran(folder):
    there = running(folder, EndpointConfig(name="default", rules="rules.toml"))
    assert there.subjects() == ("rules/default",)
    assert there.texts() == ()


def test_a_release_runs_and_says_its_number(folder):
    there = running(folder)
    there.run(release(7, "B"), "asha")
    (text,) = there.texts()
    assert (text.release, text.by, text.hash) == (7, "asha", hash_of(text.text))


def test_what_ran_is_told_the_nearest_first(folder):
    there = running(folder)
    assert list(there.ran("rules/default")) == []
    for number, of in ((1, "A"), (2, "B"), (3, "C")):
        there.run(release(number, of), "asha")
    assert [each.release for each in there.ran("rules/default")] == [2, 1]
    assert all(each.at_ms for each in there.ran("rules/default"))


def test_a_candidate_stands_beside_and_goes(folder):
    there = running(folder)
    assert there.candidates() == {}
    there.propose("rules/default", release(7, "B"))
    assert there.candidates() == {"rules/default": 7}
    there.propose("rules/default", None)
    assert there.candidates() == {}


def test_a_damaged_candidate_is_told_from_none(folder):
    there = running(folder)
    there.propose("rules/default", release(7, "B"))
    (file,) = (folder / "kept").glob("candidate-*")
    file.write_text(file.read_text().replace("option", "opinion"))
    assert there.candidates() == {"rules/default": 0}


def test_where_what_runs_is_damaged_nothing_is_sure(folder):
    there = running(folder)
    there.run(release(7, "B"), "asha")
    file = folder / "kept" / "rules-default.json"
    file.write_text(file.read_text().replace("option", "opinion"))
    assert there.texts() == ()


def test_pools_are_told_whole(folder):
    there = running(folder, pools=[SALES])
    assert there.subjects() == ("rules/default", "pools")
    assert "weight = 100" in there.texts()[1].text
    whole = there.whole("pools", "[sales.members.a]\nweight = 5\n")
    assert whole.count("weight") == 2
    ReleasedRules(folder).run("pools", whole, release=3, by="asha")
    again = there.whole("pools", "[sales.members.b]\nweight = 7\n")
    assert "weight = 5" in again
    assert "weight = 7" in again
    assert there.whole("pools", "[nonsense") == "[nonsense"
    assert there.whole("rules/default", "x") == "x"


def test_why_a_text_cannot_run(folder):
    there = running(folder, pools=[SALES])
    assert there.check(release(1), strict=True) == ()
    (gone,) = there.check(release(1, subject="rules/other"), strict=True)
    assert gone == "there is no endpoint 'other' in the configuration"
    bad = release(1, text="[default]\noption = 'C'\n")
    assert there.check(bad, strict=True)
    pools = release(1, subject="pools", text="[trial.members.a]\nweight = 1\n")
    assert there.check(pools, strict=True)


def test_what_cannot_be_meant_may_run_again(folder):
    there = running(folder)
    text = "[[rule]]\nname = 'x'\nwhen = 'stream.cause == \"throtled\"'\noption = 'B'\n"
    odd = release(1, text=f"{text}[default]\noption = 'A'\n")
    assert there.check(odd, strict=True)
    assert there.check(odd, strict=False) == ()


def test_the_built_in_rules_are_of_those_that_can_be_without_their_own(folder):
    asks = EndpointConfig("asks", kind=EndpointKind.VOICEBOT, rules="asks.toml")
    assert set(running(folder, EndpointConfig("default"), asks).built_in()) == {"rules/default"}
