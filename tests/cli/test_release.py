"""`switchhook release`, as somebody types it: beside no program, on a folder where one ran."""

from __future__ import annotations

import io
import json
import os
import time

import pytest

from switchhook.capacity.facts_file import FactsFile
from switchhook.cli import run
from switchhook.cli.data import steady_now_ms
from switchhook.config.kept_text import hash_of
from switchhook.config.live import SettingsKeeper
from switchhook.releases.acts import ActWanted
from switchhook.releases.ledger import LedgerReleases
from switchhook.releases.release import ReleaseAct
from switchhook.releases.releasing import Releasing
from switchhook.rules.rollout import Rollout
from switchhook.rules.rules_file import BUILTIN
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder, boot_id

RULES = """[[rule]]
name = "throttled"
when = 'stream.cause == "throttled"'
option = "B"

[default]
option = "A"
"""
FLOW = RULES.replace('"throttled"\'', '"throttled" && call.flow_id == "12"\'')
CONFIG = """
[answer]
listen = "127.0.0.1:8080"
[endpoints.default]
secrets = ["abcdefghijklmnopqrstuvwxyz0123456789"]
rules = "rules.toml"
[endpoints.plain]
secrets = ["bbcdefghijklmnopqrstuvwxyz0123456789"]
"""
POOLS = """
[endpoints.bots]
kind = "voicebot"
secrets = ["cbcdefghijklmnopqrstuvwxyz0123456789"]
pool = "sales"
[bots.sales.members.a]
url = "wss://a.example.com/x"
weight = 90
[bots.sales.members.b]
url = "wss://b.example.com/x"
weight = 10
"""
NOBODY_TELLS = "it is kept, and decides for nobody yet: no console runs, which would tell it"
NOBODY_CALLED = "how long each stage takes is not known yet, as no calls can be read here"
NOBODY_RUNS = "no program runs on this data folder: so it is from the next start on"


class Shop:
    """A folder with a configuration, and what the commands say there."""

    def __init__(self, folder, capsys):
        self.folder, self._capsys = folder, capsys
        self.write("rules.toml", RULES)
        self.write("new.toml", FLOW)

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def serve(self):
        """What a start of the programs takes over."""
        config = str(self.folder / "switchhook.toml")
        keeper = SettingsKeeper(self.folder / "data", config, environ=os.environ)
        return keeper.start()

    def said(self, *words):
        """Exit code, standard output and error."""
        code = run(["release", *words, *self.where])
        return code, *self.printed()

    @property
    def where(self):
        return "--data", str(self.folder / "data")

    def printed(self):
        out, err = self._capsys.readouterr()
        return out.splitlines(), err.splitlines()

    def ok(self, *words):
        """What was done; a canary needs a console, and there is none."""
        code, out, err = self.said(*words)
        assert code == (words[0] == "canary"), err
        return out, err

    def refused(self, *words):
        code, out, err = self.said(*words)
        assert (code, out) == (2, [])
        return "\n".join(err).removeprefix("switchhook: ")

    def states(self):
        out, _ = self.ok("list", "--json")
        return {each["number"]: each["state"] for each in map(json.loads, out)}


@pytest.fixture
def shop(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "switchhook.toml").write_text(CONFIG + POOLS, encoding="utf-8")
    shop = Shop(tmp_path, capsys)
    DataFolder.open(tmp_path / "data", "console").close()
    shop.serve()
    return shop


def test_what_runs_is_listed(shop):
    out, _ = shop.ok("list")
    assert [line.split()[:3] for line in out] == [
        ["RELEASE", "OF", "STATE"],
        ["4", "pools", "full"],
        ["3", "bots", "full"],
        ["2", "plain", "full"],
        ["1", "default", "full"],
    ]


def test_a_file_goes_from_check_to_full_and_back(shop):
    assert shop.ok("check", "new.toml", "--of", "default") == (
        [
            "from release 1 to new.toml:",
            '  rule "throttled" is for throttled callers from flow 12 now '
            "(before: for throttled callers); they go to B",
        ],
        ["new.toml checks out", f"stages of a canary: {NOBODY_CALLED}"],
    )
    assert len(shop.states()) == 4
    out, err = shop.ok("canary", "new.toml", "5%", "--of", "default", "--reason", "flow 12 first")
    assert out == ["release 5 decides for 5 % of callers"]
    assert err == [
        "new.toml is release 5 of default",
        "`switchhook release stop default` ends it",
        NOBODY_TELLS,
        f"stages: {NOBODY_CALLED}",
    ]
    assert shop.ok("canary", "25 %")[0] == ["release 5 decides for 25 % of callers"]
    assert shop.states()[5] == "canary"
    out, err = shop.ok("promote")
    assert out == [
        "release 5 decides for all callers of the rules of default, in place of release 1"
    ]
    assert err == [
        "warning: nothing is known of the canary's callers yet",
        "`switchhook release rollback default` goes back to release 1",
        f"{shop.folder / 'rules.toml'} still holds other rules than release 5: "
        "they are not taken over until it changes",
        NOBODY_RUNS,
    ]
    assert shop.serve().rulesets["default"].text == FLOW
    out, _ = shop.ok("rollback", "default", "--reason", "too many to B")
    assert out == ["release 1 decides for all callers of the rules of default again"]
    assert shop.serve().rulesets["default"].text == RULES
    assert shop.states() == {5: "rolled back", 4: "full", 3: "full", 2: "full", 1: "full"}
    out, _ = shop.ok("history", "5", "--json")
    done = [(each["state"], each["share"], each["reason"]) for each in map(json.loads, out)]
    assert done == [
        ("canary", 0.05, "flow 12 first"),
        ("canary", 0.25, None),
        ("full", None, None),
        ("rolled back", None, "too many to B"),
    ]


def test_the_same_text_is_the_same_release(shop):
    shop.ok("check", "new.toml", "--of", "default", "--reason", "flow 12 first")
    _, err = shop.ok("shadow", "new.toml", "--of", "default")
    assert err[0] == "new.toml is release 5 of default already"


def test_rules_without_a_file_can_be_released_and_taken_back(shop):
    shop.ok("promote", "new.toml", "--of", "plain", "--reason", "as in default")
    assert shop.serve().rulesets["plain"].text == FLOW
    out, _ = shop.ok("rollback", "plain")
    assert out == ["release 2 decides for all callers of the rules of plain again"]
    assert shop.serve().rulesets["plain"] == BUILTIN


def test_pools_are_released_whole(shop):
    shop.write("pools.toml", "[sales.members.a]\nweight = 50\n")
    out, err = shop.ok("promote", "pools.toml", "--reason", "b can take more")
    assert out == ["release 5 decides for all callers of the pools, in place of release 4"]
    assert err[0] == "pools.toml is release 5 of pools"
    (pool,) = shop.serve().config.pools
    assert {each.name: each.weight for each in pool.members} == {"a": 50, "b": 10}
    out, _ = shop.ok("diff", "pools")
    assert out[1:] == [
        "  of the calls of sales, a takes 83.3 % (before: 90 %), b takes 16.7 % (before: 10 %)"
    ]
    # What the next file doesn't say is as it runs, not as it was configured once.
    shop.write("pools.toml", "[sales.members.b]\nlimit = 20\n")
    shop.ok("promote", "pools.toml", "--reason", "b holds 20")
    (pool,) = shop.serve().config.pools
    assert [(each.weight, each.limit) for each in pool.members] == [(50, None), (10, 20)]


def freeze(shop, number):
    """As the console does on evidence of harm."""
    ledger = open_ledger(shop.folder / "data" / "ledger")
    evidence = "E = 239 (harm from 100 on; by chance: 1 in 239): stream failed: 14 of 120"
    wanted = ActWanted(act=ReleaseAct.FREEZE, by="Switchhook", evidence=evidence)
    LedgerReleases(ledger).act(number, wanted, 1_900_000_000_000, check=lambda _: ())
    ledger.close()


HARMED = "this text is release 5's, which harmed callers (E = 239)"


def test_a_text_that_harmed_callers_is_not_shipped_again_without_a_word(shop):
    of = ("new.toml", "--of", "default")
    shop.ok("canary", "new.toml", "25%", "--of", "default", "--reason", "flow 12")
    freeze(shop, 5)
    out, err = shop.ok("check", *of)
    assert err[:2] == ["new.toml checks out", f"warning: {HARMED}"]
    refused = shop.refused("canary", "new.toml", "25%", "--of", "default", "--reason", "again")
    assert HARMED in refused
    assert "--again" in refused
    assert HARMED in shop.refused("shadow", *of, "--reason", "again")
    assert HARMED in shop.refused("promote", *of, "--reason", "again")
    words = ("canary", "new.toml", "25%", "--of", "default", "--again")
    out, err = shop.ok(*words, "--reason", "the bot was down")
    assert out == ["release 6 decides for 25 % of callers"]
    assert f"warning: {HARMED}" in err
    out, err = shop.ok("promote", "6", "--again", "--reason", "in a hurry")
    assert err[:2] == [
        f"warning: {HARMED}",
        "warning: nothing is known of the canary's callers yet",
    ]


def test_a_refused_act_on_a_file_leaves_no_release_behind(shop):
    shop.write("bad.toml", RULES.replace("throttled\"'", "throtled\"'"))
    of = ("--of", "default", "--reason", "x")
    for words in (("shadow", "bad.toml"), ("canary", "bad.toml", "5%"), ("promote", "bad.toml")):
        said = shop.refused(*words, *of)
        assert said.startswith("bad.toml: it doesn't check out: ")
    shop.ok("shadow", "new.toml", *of)
    shop.write("other.toml", RULES.replace('"B"', '"A"'))
    assert "release 5 of the rules of default is in shadow" in shop.refused(
        "canary", "other.toml", "5%", *of
    )
    assert sorted(shop.states()) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("digits", [19, 23, 5_000])
@pytest.mark.parametrize(
    "words",
    [
        ("show",),
        ("diff",),
        ("history",),
        ("backtest",),
        ("check",),
        ("shadow",),
        ("promote",),
        ("rollback", "--reason", "x"),
        ("canary", "5%"),
    ],
)
def test_a_number_that_no_release_has_is_refused_however_long(shop, words, digits):
    said = shop.refused(words[0], "9" * digits, *words[1:])
    shown = "9" * digits if digits < 40 else "9" * 39 + "…"
    assert said == f"there is no release {shown} (see: switchhook release list)"


def test_a_problem_names_its_line_and_the_list_the_harm(shop):
    shop.write("bad.toml", RULES.replace("throttled\"'", "throtled\"'"))
    _, out, _ = shop.said("check", "bad.toml", "--of", "default")
    assert out[0].startswith('bad.toml: line 3: rule "throttled"')
    shop.ok("canary", "new.toml", "25%", "--of", "default", "--reason", "flow 12")
    freeze(shop, 5)
    assert any("harmed callers: E = 239" in line for line in shop.ok("list", "default")[0])
    (shop.folder / "empty").mkdir()
    said = shop.refused("apply", "empty", "--delete", "--yes")
    assert said.startswith("empty holds nothing to release: neither rules/NAME.toml nor pools.toml")


def test_what_was_rolled_back_runs_again_for_a_reason(shop):
    shop.ok("promote", "new.toml", "--of", "default", "--reason", "flow 12")
    shop.ok("rollback", "default", "--reason", "too many to B")
    said = shop.refused("promote", "new.toml", "--of", "default")
    assert "release 5 was rolled back by " in said
    assert "too many to B" in said
    shop.ok("promote", "new.toml", "--of", "default", "--reason", "B has people now")


def test_an_edit_in_place_is_a_release_and_stops_the_canary(shop):
    shop.ok("canary", "new.toml", "5%", "--of", "default", "--reason", "flow 12 first")
    shop.write("rules.toml", RULES.replace('"B"', '"A"'))
    shop.serve()
    out, _ = shop.ok("list", "default", "--json")
    newest, canary, first = map(json.loads, out)
    assert (newest["by_file"], newest["state"], newest["reason"]) == (
        True,
        "full",
        "it was changed in place",
    )
    assert canary["state"] == "checked"
    assert first["state"] == "retired"
    out, _ = shop.ok("history", "5")
    assert "something else runs than what it was held against" in out[-1]


def test_what_does_not_check_out_is_a_draft(shop):
    shop.write("bad.toml", RULES.replace("throttled\"'", "throtled\"'"))
    code, out, err = shop.said("check", "bad.toml", "--of", "default")
    assert (code, err) == (1, [])
    assert out[0].startswith("bad.toml: ")
    shop.said("check", "bad.toml", "--of", "default", "--reason", "in a hurry")
    assert shop.states()[5] == "draft"
    assert shop.refused("promote", "5").startswith("release 5 doesn't check out: ")


def test_a_release_whose_pool_is_gone_leaves_what_runs(shop):
    rules = '[default]\npool = "sales"\n'
    sales = POOLS.partition("[bots.")[2]
    other = CONFIG + POOLS.replace("sales", "other")
    shop.write("switchhook.toml", f"{other}[bots.{sales}")
    shop.serve()
    for pool in ("sales", "other"):
        shop.write("bots.toml", rules.replace("sales", pool))
        shop.ok("promote", "bots.toml", "--reason", f"to {pool}")
    shop.write("switchhook.toml", f"{other}# without sales\n")
    assert shop.serve().complaints == ()
    said = shop.refused("rollback", "bots")
    assert "there is no pool 'sales'" in said
    assert "goes on running" in said
    assert shop.serve().rulesets["bots"].text == rules.replace("sales", "other")


def test_a_canary_whose_pool_is_gone_decides_for_nobody(shop):
    sales = POOLS.partition("[bots.")[2]
    other = CONFIG + POOLS.replace("sales", "other")
    shop.write("switchhook.toml", f"{other}[bots.{sales}")
    shop.serve()
    shop.write("bots.toml", '[default]\npool = "sales"\n')
    shop.ok("canary", "bots.toml", "5%", "--reason", "x")
    assert not any("nobody" in line for line in shop.ok("list", "bots")[0])
    shop.write("switchhook.toml", f"{other}# without sales\n")
    shop.serve()
    out, err = shop.ok("list", "bots")
    assert any("canary at 5 %, for nobody" in line for line in out)
    assert any("decides for nobody: " in line and "no pool 'sales'" in line for line in err)
    (newest, *_) = map(json.loads, shop.ok("list", "bots", "--json")[0])
    assert "no pool 'sales'" in newest["problems"][0]


REFUSED = [
    (("canary", "new.toml", "5"), "5 of what? a share is a part of 100 (say 5%)"),
    (("canary", "new.toml", "lots"), "'lots' is no share (such as 5%, or 0.5%)"),
    (
        ("canary", "1"),
        "it has no share (1% for the one in shadow or canary; "
        "switchhook release canary 1 5% for release 1)",
    ),
    (("canary", "new.toml"), "it has no share (switchhook release canary new.toml 5%)"),
    (("canary",), "it has no share (switchhook release canary 5%)"),
    (("promote", "1", "--of", "plain"), "release 1 is of default, not of plain"),
    (("shadow", "2", "--of", "typo"), "there is no endpoint 'typo' in the configuration"),
    (("check", "1", "--of", "plain"), "release 1 is of default, not of plain"),
    (("diff", "1", "--of", "plain"), "release 1 is of default, not of plain"),
    (("canary", "default", "5%", "--of", "plain"), "no release of default is in shadow"),
    (("promote", "--of", "typo"), "there is no endpoint 'typo' in the configuration"),
    (("canary", "1", "5%"), "release 1 is what runs, and can't be put in canary"),
    (
        ("canary", "5%"),
        "no release is in shadow or in canary "
        "(say which release is meant, by its number or its file)",
    ),
    (("promote", "99"), "there is no release 99 (see: switchhook release list)"),
    (
        ("promote", "defalt"),
        "'defalt' is no release, no endpoint and no file (did you mean default?)",
    ),
    (("promote", "none.toml"), "none.toml: no such file or directory"),
    (
        ("promote", "new.toml", "--reason", "x"),
        "it does not show which endpoint new.toml is of (--of default or plain or bots or pools)",
    ),
    (
        ("promote", "new.toml", "--of", "default"),
        'new.toml is no release yet, and it has no reason (--reason "why"',
    ),
    (
        ("promote", "new.toml", "--of", "sales", "--reason", "x"),
        "there is no endpoint 'sales' in the configuration (known: default, plain, bots, pools)",
    ),
    (("promote", "latin.toml", "--of", "plain"), "latin.toml is no text in UTF-8, at byte 0"),
    (("promote", "large.toml", "--of", "plain"), "large.toml is larger than any release"),
    (("diff", "1", "4"), "default and pools can't be compared"),
    (("rollback",), "nothing can be rolled back (see: switchhook release list)"),
    (("rollback", "default"), "release 1 of the rules of default: nothing ran before it"),
    (
        ("rollback", "default", "--to", "4"),
        "release 1 of the rules of default: it has no release 4",
    ),
    (("stop", "default"), "no release of default is in shadow or in canary"),
    (("history", "99"), "there is no release 99"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_what_is_refused(shop, words, said):
    (shop.folder / "latin.toml").write_bytes(b"\xff")
    (shop.folder / "large.toml").write_bytes(b"#" * 1_000_001)
    before = shop.states()
    assert shop.refused(*words).startswith(said)
    assert shop.states() == before


def test_of_several_that_could_be_meant_none_is(shop):
    shop.ok("shadow", "new.toml", "--of", "default", "--reason", "x")
    shop.ok("shadow", "new.toml", "--of", "plain", "--reason", "x")
    assert shop.refused("stop") == (
        "2 releases are candidates (say which: 5 of default, 6 of plain)"
    )
    out, _ = shop.ok("stop", "plain")
    assert out == ["release 6 is stopped: it no longer decides beside what runs"]


def test_what_is_said_of_is_meant_and_nothing_else(shop):
    """The wrong endpoint's change would go to all callers."""
    shop.ok("shadow", "new.toml", "--of", "default", "--reason", "x")
    for words in (("canary", "5%"), ("promote",), ("promote", "default"), ("promote", "5")):
        said = shop.refused(*words, "--of", "plain", "--reason", "x")
        assert "no release of plain is in shadow" in said or "is of default, not of plain" in said
    shop.ok("shadow", "new.toml", "--of", "plain", "--reason", "x")
    assert shop.states() == {1: "full", 2: "full", 3: "full", 4: "full", 5: "shadow", 6: "shadow"}
    out, _ = shop.ok("promote", "--of", "plain", "--reason", "x")
    assert out[0].startswith("release 6 decides for all callers of the rules of plain")
    out, _ = shop.ok("canary", "5%", "--of", "default")
    assert out == ["release 5 decides for 5 % of callers"]


def test_who_acts_at_the_same_moment_as_another_is_told_what_that_one_did(shop, monkeypatch):
    shop.ok("canary", "new.toml", "5%", "--of", "default", "--reason", "x")
    act = Releasing.act

    def after_another(releasing, number, wanted, note):
        monkeypatch.setattr(Releasing, "act", act)
        assert run(["release", "stop", "default", *shop.where]) == 0
        shop.printed()
        return act(releasing, number, wanted, note)

    monkeypatch.setattr(Releasing, "act", after_another)
    said = shop.refused("promote", "--of", "default", "--reason", "x")
    assert said.startswith("release 5 was stopped by ")
    assert said.endswith(" meanwhile, and is checked now (look at it again)")
    assert shop.states()[5] == "checked"


def test_a_file_is_of_what_it_is_compared_with(shop):
    assert (
        shop.ok("diff", "default", "new.toml")[0]
        == shop.ok("diff", "default", "new.toml", "--of", "default")[0]
    )
    assert shop.ok("diff", "new.toml", "1")[0]
    assert "can't be compared" in shop.refused("diff", "pools", "1")


def test_a_rollback_without_a_name_takes_the_only_canary_back(shop):
    shop.ok("promote", "new.toml", "--of", "plain", "--reason", "x")
    shop.ok("canary", "new.toml", "5%", "--of", "default", "--reason", "x")
    assert shop.ok("rollback")[0] == [
        "release 6 is rolled back: release 1 decides for all callers of the rules of default"
    ]
    assert shop.ok("rollback")[0] == [
        "release 2 decides for all callers of the rules of plain again"
    ]


def test_a_release_is_shown(shop):
    shop.ok("shadow", "new.toml", "--of", "default", "--reason", "x")
    assert shop.ok("show", "5", "--text")[0] == FLOW.splitlines()
    out, _ = shop.ok("show", "default")
    assert out[0] == "release 1 of the rules of default"
    out, _ = shop.ok("show", "5", "--json")
    assert json.loads(out[0])["text"] == FLOW
    out, _ = shop.ok("diff", "1", "5", "--lines")
    assert '+when = \'stream.cause == "throttled" && call.flow_id == "12"\'' in out
    out, _ = shop.ok("diff", "1", "5", "--json")
    assert json.loads(out[0])["differences"][0].startswith('rule "throttled" is for')
    assert shop.ok("diff", "1")[0] == ["release 1 is the first of the rules of default"]


def test_where_no_configuration_ran_the_built_in_rules_do(tmp_path, capsys):
    DataFolder.open(tmp_path, "console").close()
    assert run(["release", "list", "--data", str(tmp_path), "--json"]) == 0
    (only,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (only["subject"], only["author"]) == ("rules/default", "built in")


def test_a_canary_is_waited_for_until_it_is_told(shop):
    holder = DataFolder.open(shop.folder / "data", "console")
    holder.say_where("http://127.0.0.1:1")
    shop.ok("check", "new.toml", "--of", "default", "--reason", "x")
    told = Rollout(subject="rules/default", number=5, hash=hash_of(FLOW), share=500)
    facts = FactsFile(shop.folder / "data", boot_id())
    now_ms = steady_now_ms(shop.folder / "data")
    facts.tell_rollouts([told], now_ms, now_ms)
    code, out, err = shop.said("canary", "5", "5%")
    assert (code, out) == (0, ["release 5 decides for 5 % of callers"])
    assert err == ["`switchhook release stop default` ends it", f"stages: {NOBODY_CALLED}"]
    holder.close()


def test_a_canary_that_somebody_ends_meanwhile_is_not_waited_for(shop, monkeypatch):
    holder = DataFolder.open(shop.folder / "data", "console")
    shop.ok("check", "new.toml", "--of", "default", "--reason", "x")
    monkeypatch.setattr(time, "sleep", lambda _s: run(["release", "stop", "5", *shop.where]))
    code, out, err = shop.said("canary", "5", "5%")
    assert (code, out[0]) == (0, "release 5 decides for 5 % of callers")
    assert err[-2].startswith("by now it is checked, by ")
    holder.close()


def folder(shop):
    shop.write("repo/rules/default.toml", FLOW)
    return "repo"


def test_a_folder_is_released_once(shop):
    out, _ = shop.ok("apply", folder(shop), "--yes", "--reason", "as in git")
    assert out == [
        "default: by rules/default.toml",
        '  rule "throttled" is for throttled callers from flow 12 now '
        "(before: for throttled callers); they go to B",
        "release 5 decides for all callers of the rules of default, in place of release 1",
    ]
    assert shop.serve().rulesets["default"].text == FLOW
    assert shop.ok("apply", "repo", "--yes") == (
        ["default: rules/default.toml needs nothing"],
        ["nothing to do"],
    )


def test_a_plan_says_by_its_exit_code_whether_there_is_something_to_do(shop):
    code, _, _ = shop.said("apply", folder(shop), "--plan")
    assert code == 3
    assert len(shop.states()) == 4
    shop.write("repo/rules/default.toml", RULES)
    code, out, _ = shop.said("apply", "repo", "--plan")
    assert (code, out) == (0, ["default: rules/default.toml needs nothing"])


def test_where_one_file_does_not_check_out_none_is_released(shop):
    folder(shop)
    shop.write("repo/rules/plain.toml", FLOW.replace("option", "opinion"))
    shop.write("repo/rules/nowhere.toml", RULES)
    shop.write("repo/rules/.default.toml.swp", "")
    shop.write("repo/rules/notes.md", "")
    code, out, err = shop.said("apply", "repo", "--yes", "--reason", "x")
    assert code == 1
    assert err == [
        "rules/notes.md is no NAME.toml, and left out",
        "2 of 3 can't be released, so nothing was",
    ]
    assert "rules/nowhere.toml: there is no endpoint 'nowhere' in the configuration" in out
    assert len(shop.states()) == 4


def test_a_folder_that_is_half_there_lets_nothing_go(shop):
    """What a sync has not brought yet is no wish that it go."""
    shop.ok("promote", "new.toml", "--of", "plain", "--reason", "x")
    shop.write("repo/rules/default.toml", RULES)
    out, err = shop.ok("apply", "repo", "--yes")
    assert out == [
        "default: rules/default.toml needs nothing",
        "plain: the folder has no rules of it; they stay, unless --delete says otherwise",
    ]
    assert err == ["nothing to do"]
    shop.write("repo/rules/default.toml", RULES[:40])
    code, _, _ = shop.said("apply", "repo", "--yes", "--delete")
    assert code == 1
    shop.write("repo/rules/default.toml", RULES)
    shop.ok("apply", "repo", "--yes", "--delete", "--reason", "gone")
    assert shop.serve().rulesets["plain"] == BUILTIN


def test_a_folder_can_begin_a_canary(shop):
    code, _, err = shop.said("apply", folder(shop), "--yes", "--canary", "5%", "--reason", "x")
    assert code == 1
    assert NOBODY_TELLS in err
    assert shop.states()[5] == "canary"
    shop.ok("stop")
    shop.ok("apply", "repo", "--yes", "--shadow")
    assert shop.states()[5] == "shadow"


def test_pools_of_a_folder_are_released_whole(shop):
    shop.write("repo/pools.toml", "[sales.members.a]\nweight = 50\n")
    shop.ok("apply", "repo", "--yes", "--reason", "x")
    out, err = shop.ok("apply", "repo", "--yes", "--reason", "x")
    assert (out[0], err) == ("pools: pools.toml needs nothing", ["nothing to do"])


def test_what_is_released_is_asked_for(shop, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    code, _, err = shop.said("apply", folder(shop), "--reason", "x")
    assert (code, err) == (1, ["release 1? y/N nothing was released"])
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert shop.said("apply", "repo", "--reason", "x")[0] == 0
    assert shop.states()[5] == "full"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("repo",), "what is released has no reason (--reason"),
        (("repo", "--reason", "x"), "what is released has to be agreed to (--yes says so"),
        (("none",), "none: there is no such folder"),
        (("new.toml",), "new.toml: it is no folder"),
        (("empty",), "empty holds nothing to release: neither rules/NAME.toml nor pools.toml"),
        (("repo", "--shadow", "--canary", "5%"), "a release is in shadow or in canary"),
        (("repo", "--canary", "150%"), "150 % of the callers is no canary (above 0 %"),
        (("repo", "--canary", "5"), "5 of what? a share is a part of 100 (say 5%)"),
    ],
)
def test_a_folder_that_is_refused(shop, monkeypatch, words, said):
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    folder(shop)
    (shop.folder / "empty").mkdir()
    code, _, err = shop.said("apply", *words)
    assert code == 2
    assert err[-1].removeprefix("switchhook: ").startswith(said)
    assert len(shop.states()) == 4


def undo(shop, *words):
    code = run(["rules", "undo", *words, "--data", str(shop.folder / "data")])
    return code, shop.printed()


def test_rules_undo_rolls_back_what_runs(shop):
    shop.ok("promote", "new.toml", "--of", "default", "--reason", "x")
    code, (out, _) = undo(shop)
    assert (code, out) == (0, [f"endpoint default runs rules {hash_of(RULES)[:12]} again"])
    assert shop.states()[5] == "rolled back"
    code, (_, err) = undo(shop)
    assert code == 2
    assert err == [
        "switchhook: release 1 of the rules of default: nothing ran before it "
        "(see: switchhook release list default)"
    ]
    code, (_, err) = undo(shop, "nowhere")
    assert (code, err[0][:48]) == (2, "switchhook: there is no endpoint 'nowhere' in th")


def test_edits_that_no_console_saw_are_gone_back_through(shop):
    for option in ("B", "A"):
        shop.write("rules.toml", f'[default]\noption = "{option}"\n')
        shop.serve()
    for text in ('[default]\noption = "B"\n', RULES):
        assert undo(shop)[0] == 0
        assert shop.serve().rulesets["default"].text == text


def test_rules_undo_needs_no_ledger(shop):
    """In the worst of nights what decides callers can be taken back all the same."""
    shop.ok("promote", "new.toml", "--of", "default", "--reason", "x")
    (file,) = (shop.folder / "data" / "ledger").glob("*.sqlite")
    for each in file.parent.glob("*.sqlite-*"):
        each.unlink()
    file.write_bytes(b"nonsense" * 1_000)
    code, (out, err) = undo(shop)
    assert code == 0, err
    assert out == [f"endpoint default runs rules {hash_of(RULES)[:12]} again"]
    assert err[0].startswith("not in the story of releases, nor in the audit log: ")
    assert shop.serve().rulesets["default"].text == RULES
