"""What runs, through every state that the operator's files can be in."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from switchhook.config import (
    Config,
    ListenAddress,
    kept_files,
    kept_text,
    last_good,
    rules_terms,
)
from switchhook.config import files as operator_files
from switchhook.config.live import (
    RETRY_S,
    Overrides,
    Settings,
    SettingsKeeper,
    find_data_folder,
)
from switchhook.config.own_links import running_config
from switchhook.errors import ConfigError, DataFolderError, RuleError
from switchhook.journal.receipt import ConfigApplied, Keep
from switchhook.rules.decide import Ruleset
from switchhook.rules.rules_file import BUILTIN, EndpointKind
from switchhook.system.data_folder import DataFolder

GOOD = "a-good-secret-of-24-chars"
OTHER = "another-good-secret-here"


def rules(name: str, option: str = "B") -> str:
    return (
        f'[[rule]]\nname = "{name}"\nwhen = \'stream.cause == "throttled"\'\n'
        f'option = "B"\n\n[default]\noption = "{option}"\n'
    )


CONFIG = f"""
[journal]
segment_mb = 64

[endpoints.sales]
secrets = ["{GOOD}"]
rules = "sales.toml"

[endpoints.support]
rules = "support.toml"
"""


class World:
    """A folder with the operator's files, a data folder, and a clock that tests step."""

    def __init__(self, path: Path) -> None:
        self.path, self.data = path / "etc", path / "data"
        self.path.mkdir()
        self.config = self.path / "switchhook.toml"
        self.sales, self.support = self.path / "sales.toml", self.path / "support.toml"
        self.clock = datetime(2025, 3, 1, 10, 0, tzinfo=UTC)
        self.environ: dict[str, str] = {}
        self.config.write_text(CONFIG)
        self.sales.write_text(rules("one"))
        self.support.write_text(rules("help"))

    def now(self) -> datetime:
        return self.clock

    def keeper(self, *, config: Path | None = None, **overrides: Any) -> SettingsKeeper:
        return SettingsKeeper(
            self.data,
            str(config or self.config),
            environ=self.environ,
            overrides=Overrides(**overrides),
            now=self.now,
        )

    def start(self, **overrides: Any) -> tuple[SettingsKeeper, Settings]:
        keeper = self.keeper(**overrides)
        settings = keeper.start()
        rest(keeper)
        return keeper, settings


def rest(keeper: SettingsKeeper) -> tuple[Settings | None, tuple[ConfigApplied, ...]]:
    """Poll until what changed has come to rest; the last settings and all take-overs."""
    last: Settings | None = None
    taken: tuple[ConfigApplied, ...] = ()
    for _ in range(5):
        settings, some = keeper.poll()
        last, taken = settings or last, taken + some
    return last, taken


def changed(keeper: SettingsKeeper) -> Settings:
    settings, _ = rest(keeper)
    assert settings is not None
    return settings


def names(settings: Settings, endpoint: str = "sales") -> list[str]:
    return [rule.name for rule in settings.rulesets[endpoint].rules]


def gone(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def half(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def unreadable(file: Path) -> None:
    file.unlink()
    file.mkdir()  # root may read whatever its mode is, but no folder as a file


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def not_text(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00")


def too_large(file: Path) -> None:
    file.write_bytes(b"#" * 1_000_001)


def a_loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


BROKEN = [gone, empty, half, unreadable, a_pipe, not_text, too_large, a_loop]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_start_reads_the_files(world: World) -> None:
    """Configuration and rules come from their files; nothing is complained about."""
    _, settings = world.start()
    assert [point.name for point in settings.config.endpoints] == ["sales", "support"]
    assert (names(settings), names(settings, "support")) == (["one"], ["help"])
    assert settings.complaints == ()
    assert [each.name for each in settings.running] == ["config", "rules/sales", "rules/support"]
    assert settings.running[1] == ConfigApplied(
        "rules/sales", settings.rulesets["sales"].release, rules("one"), "start"
    )
    assert settings.sources[1].at == "2025-03-01T10:00:00.000+00:00"


def test_what_is_kept_is_private(world: World) -> None:
    """It holds secrets."""
    world.start()
    for file in (world.data / "kept").iterdir():
        assert file.stat().st_mode & 0o077 == 0
    assert (world.data / "kept").stat().st_mode & 0o777 == 0o700
    DataFolder.open(world.data, "answer").close()  # which takes it as its own


def test_without_a_configuration(world: World) -> None:
    """The defaults run, and the command line applies to them."""
    keeper = SettingsKeeper(
        world.data, None, environ={}, overrides=Overrides(answer="127.0.0.1:0"), now=world.now
    )
    settings = keeper.start()
    assert settings.config.answer.listen == ListenAddress("127.0.0.1", 0)
    assert settings.config.endpoints == Config().endpoints
    assert settings.rulesets == {"default": BUILTIN}
    assert [each.by for each in settings.running] == ["built-in", "built-in"]
    assert rest(keeper) == (None, ())


DOUBTFUL = (
    """[[rule]]
name = "mine"
when = 'call.from == "09876543210" || local.hour == 24'
option = "B"

"""
    + rules("one").partition("[[rule]]")[1]
    + rules("one").partition("[[rule]]")[2]
)


def test_rules_that_can_not_be_what_was_meant_run_with_a_warning(world: World) -> None:
    """No upgrade takes a service down for what ran before it; mended, the warning is gone."""
    world.sales.write_text(DOUBTFUL)
    keeper, settings = world.start()
    assert len(settings.rulesets["sales"].rules) == 2
    (complaint,) = settings.complaints
    assert complaint.startswith(f'rules of endpoint sales: {world.sales}:3: rule "mine", column 14')
    assert "and 1 more; it runs all the same" in complaint
    assert "9876543210" not in complaint
    assert settings.unused == ()
    world.sales.write_text(rules("one"))
    assert changed(keeper).complaints == ()
    world.sales.write_text(DOUBTFUL)
    assert changed(keeper).complaints == (complaint,)
    world.sales.unlink()
    kept = world.keeper().start()
    assert len(kept.rulesets["sales"].rules) == 2
    assert any("it runs all the same" in each for each in kept.complaints)


def test_quiet_files_give_nothing(world: World) -> None:
    """Polling costs nothing where nothing changes, also after a touch."""
    keeper, _ = world.start()
    assert rest(keeper) == (None, ())
    world.sales.touch()
    assert rest(keeper) == (None, ())
    assert len(keeper.history("sales")) == 1


def test_changed_rules_are_taken_over(world: World) -> None:
    """The new rules run, once the file is at rest, and the take-over is told once."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two"))
    assert keeper.poll() == (None, ())  # it may still be being written
    settings, taken = keeper.poll()
    assert settings is not None
    assert names(settings) == ["two"]
    assert names(settings, "support") == ["help"]
    (only,) = taken
    assert (only.name, only.text, only.by) == ("rules/sales", rules("two"), "changed file")
    assert only.hash == settings.rulesets["sales"].release
    assert rest(keeper) == (None, ())
    assert [each.text for each in keeper.history("sales")] == [rules("one"), rules("two")]


def test_file_that_is_being_written_waits(world: World) -> None:
    """A file that is different at every look is not judged."""
    keeper, _ = world.start()
    for count in range(4):
        world.sales.write_text(f"half written {'.' * count}")
        assert keeper.poll() == (None, ())


@pytest.mark.parametrize("spoil", BROKEN)
def test_broken_rules_change_nothing(world: World, spoil: Callable[[Path], None]) -> None:
    """What ran goes on running; the complaint names file and time; mended, it is gone."""
    keeper, before = world.start()
    spoil(world.sales)
    settings, taken = rest(keeper)
    assert settings is not None
    assert taken == ()
    assert settings.rulesets == before.rulesets
    (complaint,) = settings.complaints
    assert complaint.startswith(f"rules of endpoint sales: {world.sales}")
    assert "those of 2025-03-01T10:00:00.000+00:00" in complaint
    assert "\n" not in complaint
    shutil.rmtree(world.sales) if world.sales.is_dir() else world.sales.unlink(missing_ok=True)
    world.sales.write_text(rules("one"))
    mended = changed(keeper)
    assert mended.complaints == ()
    assert len(keeper.history("sales")) == 1


@pytest.mark.parametrize("spoil", BROKEN)
def test_restart_on_broken_rules(world: World, spoil: Callable[[Path], None]) -> None:
    """A restart runs the last that checked out, and says so."""
    world.start()
    spoil(world.sales)
    _, settings = world.start()
    assert names(settings) == ["one"]
    assert names(settings, "support") == ["help"]
    (complaint,) = settings.complaints
    assert "rules of endpoint sales" in complaint


@pytest.mark.parametrize("spoil", BROKEN)
def test_restart_on_a_broken_configuration(world: World, spoil: Callable[[Path], None]) -> None:
    """The last configuration that checked out runs, with its secrets, and says so."""
    _, before = world.start()
    spoil(world.config)
    keeper, settings = world.start()
    assert settings.config == before.config
    assert settings.rulesets == before.rulesets
    (complaint,) = settings.complaints
    assert complaint.startswith(f"configuration: {world.config}")
    assert "that of 2025-03-01T10:00:00.000+00:00 goes on running" in complaint
    assert GOOD not in complaint
    assert settings.sources == before.sources
    world.sales.write_text(rules("two"))
    assert names(changed(keeper)) == ["two"]  # the rest goes on


def test_a_name_that_never_ran_here_is_a_slip_and_not_a_file_that_vanished(world: World) -> None:
    """The error names it, and what ran; one that is there and broken is as it was."""
    _, before = world.start()
    other = world.path / "swichhook.toml"
    with pytest.raises(ConfigError) as caught:
        world.keeper(config=other).start()
    assert caught.value.file == str(other)
    assert "no such file" in caught.value.problem
    assert str(world.config) in caught.value.hint
    with pytest.raises(ConfigError, match="not a directory"):
        world.keeper(config=world.config / "x.toml").start()
    other.write_text("answer = ")
    assert world.keeper(config=other).start().config == before.config


@pytest.mark.parametrize("spoil", BROKEN)
def test_broken_configuration_while_running(world: World, spoil: Callable[[Path], None]) -> None:
    """The same without a restart."""
    keeper, before = world.start()
    spoil(world.config)
    settings, taken = rest(keeper)
    assert settings is not None
    assert (settings.config, taken) == (before.config, ())
    assert len(settings.complaints) == 1
    shutil.rmtree(world.config) if world.config.is_dir() else world.config.unlink(missing_ok=True)
    world.config.write_text(CONFIG)
    assert changed(keeper).complaints == ()


@pytest.mark.parametrize("spoil", BROKEN)
def test_nothing_ever_checked_out(world: World, spoil: Callable[[Path], None]) -> None:
    """Only then is a start refused, by the name of the file."""
    spoil(world.config)
    with pytest.raises(ConfigError, match=r"switchhook\.toml"):
        world.keeper().start()


def test_rules_that_never_checked_out(world: World) -> None:
    """An endpoint without any rules that work can't be started."""
    world.sales.write_text("[default]")
    with pytest.raises(ConfigError) as caught:
        world.keeper().start()
    assert str(world.sales) in str(caught.value)
    assert not (world.data / "kept" / "rules-support.json").exists()


def test_rules_cut_at_any_byte(world: World) -> None:
    """A file that was cut short never runs with fewer rules than it was written with."""
    keeper, _ = world.start()
    text = rules("two").encode()
    for length in range(len(text) - 1):  # the last byte is the line's end
        world.sales.write_bytes(text[:length])
        keeper.poll()
        settings, taken = keeper.poll()
        assert taken == ()
        assert settings is None or names(settings) == ["one"]
    world.sales.write_bytes(text)
    assert names(changed(keeper)) == ["two"]


def test_configuration_cut_at_any_byte(world: World) -> None:
    """The beginning of what runs is never taken over, though TOML may allow it."""
    world.start()
    whole = len(CONFIG.rstrip())
    for length in range(0, whole, 3):
        world.config.write_text(CONFIG[:length])
        settings = world.keeper().start()
        assert [point.name for point in settings.config.endpoints] == ["sales", "support"]
        assert all(settings.config.endpoints[at].rules for at in (0, 1))
        assert len(settings.complaints) == 1
    world.config.write_text(CONFIG[: CONFIG.index("[endpoints.support]")])
    (complaint,) = world.keeper().start().complaints
    assert "was it cut short?" in complaint


def test_shorter_configuration_that_is_meant(world: World) -> None:
    """With a comment at its end a beginning is no beginning any more; blanks never count."""
    keeper, _ = world.start()
    world.config.write_text(CONFIG.rstrip())
    settings, _ = rest(keeper)
    assert settings is None or settings.complaints == ()
    world.config.write_text(CONFIG[: CONFIG.index("[endpoints.support]")] + "# meant\n")
    settings = changed(keeper)
    assert list(settings.rulesets) == ["sales"]
    assert settings.complaints == ()


def test_one_broken_file_holds_up_no_other(world: World) -> None:
    """Each file is judged alone."""
    keeper, _ = world.start()
    world.sales.write_text("broken")
    world.support.write_text(rules("help two"))
    settings, taken = rest(keeper)
    assert settings is not None
    assert (names(settings), names(settings, "support")) == (["one"], ["help two"])
    assert [each.name for each in taken] == ["rules/support"]


def test_changed_endpoints_are_taken_over(world: World) -> None:
    """A secret, a deadline and a new endpoint need no restart, and the record has no secret."""
    keeper, _ = world.start()
    world.config.write_text(
        CONFIG.replace(GOOD, OTHER) + "deadline_ms = 500\n[endpoints.new]\nmode = 'async'\n"
    )
    settings, taken = rest(keeper)
    assert settings is not None
    sales, support, new = settings.config.endpoints
    assert [secret.reveal() for secret in sales.secrets] == [OTHER]
    assert (support.deadline_ms, new.name) == (500, "new")
    assert settings.rulesets["new"] is BUILTIN
    assert [each.name for each in taken] == ["config", "rules/new"]
    assert OTHER not in taken[0].text
    assert GOOD not in repr(settings)
    assert OTHER not in repr(settings)


def test_endpoint_changes_to_built_in_rules(world: World) -> None:
    """Rules that the configuration no longer names don't run, and come back when it does."""
    keeper, _ = world.start()
    world.config.write_text(CONFIG.replace('rules = "sales.toml"', ""))
    settings = changed(keeper)
    assert settings.rulesets["sales"] is BUILTIN
    gone(world.sales)
    world.config.write_text(CONFIG)
    settings = changed(keeper)
    assert names(settings) == ["one"]
    assert "can't be read" in settings.complaints[0]


def test_rules_from_another_file(world: World) -> None:
    """The history goes on with the endpoint, wherever its rules come from."""
    keeper, _ = world.start()
    (world.path / "other.toml").write_text(rules("other"))
    world.config.write_text(CONFIG.replace("sales.toml", "other.toml"))
    settings, taken = rest(keeper)
    assert settings is not None
    assert names(settings) == ["other"]
    assert [each.name for each in taken] == ["config", "rules/sales"]
    assert settings.sources[1].file == str(world.path / "other.toml")
    assert len(keeper.history("sales")) == 2


def test_endpoint_whose_rules_never_checked_out_waits(world: World) -> None:
    """A restart must find a configuration that can run: the old one stays until the new one can."""
    keeper, before = world.start()
    new = world.path / "new.toml"
    world.config.write_text(CONFIG + '[endpoints.new]\nrules = "new.toml"\n')
    settings = changed(keeper)
    assert settings.config == before.config
    assert str(new) in settings.complaints[0]
    assert "new" not in world.keeper().start().rulesets
    new.write_text(rules("new"))
    settings = changed(keeper)
    assert names(settings, "new") == ["new"]
    assert settings.complaints == ()


def test_what_listens_waits_for_a_restart(world: World) -> None:
    """Endpoints are taken over; the rest is named, until a restart."""
    keeper, _ = world.start()
    world.config.write_text(
        'data = "/elsewhere"\n[answer]\nlisten = "127.0.0.1:9"\n[console]\nlisten = "[::1]:9"'
        + CONFIG.replace("64", "128")
        + "deadline_ms = 500"
    )
    settings = changed(keeper)
    assert settings.config.endpoints[1].deadline_ms == 500
    assert settings.config.answer.listen.port == 8080
    assert settings.config.journal.segment_mb == 64
    (complaint,) = settings.complaints
    assert "data, answer.listen, console.listen, journal.segment_mb changed" in complaint
    _, again = world.start()
    assert again.config.answer.listen.port == 9
    assert again.complaints == ()


def test_a_machine_alone_becomes_a_node_by_a_restart_and_says_so(world: World) -> None:
    """Its endpoints' other keys are taken over; receipts are kept twice once it has joined."""
    keeper, _ = world.start()
    alone, twice = CONFIG + "deadline_ms = 500\n", 'keep = "two-copies"\n'
    clustered = '[cluster]\ndatabase = "postgresql://asha:secret@db/x"\nname = "one"\n'
    world.config.write_text(clustered + alone + twice)
    settings = changed(keeper)
    point = settings.config.endpoints[1]
    assert (point.deadline_ms, point.keep) == (500, Keep.LOCAL)
    assert settings.config.cluster.database is None
    assert settings.complaints == (
        "configuration: cluster.database, cluster.name changed; that takes a restart, and"
        " `switchhook cluster join` before it",
    )

    keeper, again = world.start()
    assert (again.config.endpoints[1].keep, again.complaints) == (Keep.TWO_COPIES, ())
    world.config.write_text(clustered.replace("one", "two") + alone + twice)
    settings = changed(keeper)
    assert settings.config.endpoints[1].keep is Keep.TWO_COPIES
    assert settings.complaints == ("configuration: cluster.name changed; that takes a restart",)


@pytest.mark.parametrize(
    ("url", "takes_restart"),
    [
        ("postgresql://asha:other@db1,db2:5433/x?application_name=a", False),
        ("postgresql://other@db1,db2:5433/x?application_name=a&password=p", False),
        ("postgresql://db1,db2:5433/x?sslcert=c&application_name=a&sslkey=k", False),
        ("postgresql://asha:secret@db1/x?application_name=a", True),
        ("postgresql://asha:secret@db1,db2:5433/y?application_name=a", True),
        ("postgresql://asha:secret@db1,db2:5433/x", True),
    ],
)
def test_who_asks_the_nodes_database_may_change(
    world: World, url: str, *, takes_restart: bool
) -> None:
    """Another password, or another user, is used from then on; another database is not."""
    before = "postgresql://asha:secret@db1,db2:5433/x?application_name=a"
    text = f'[cluster]\nname = "one"\ndatabase = "{before}"\n{CONFIG}'
    world.config.write_text(text)
    keeper, _ = world.start()
    world.config.write_text(text.replace(before, url))
    settings = changed(keeper)
    assert settings.config.cluster.database == (before if takes_restart else url)
    said = ("configuration: cluster.database changed; that takes a restart",)
    assert settings.complaints == (said if takes_restart else ())


def test_a_password_in_a_file_of_its_own_is_used_from_then_on(world: World) -> None:
    """Of a URL that the configuration only names, the change is seen as well."""
    file = world.config.parent / "database-url"
    file.write_text("postgresql://asha:secret@db/x\n")
    world.config.write_text(f'[cluster]\ndatabase_file = "{file}"\n{CONFIG}')
    keeper, _ = world.start()
    file.write_text("postgresql://asha:changed@db/x\n")
    settings = changed(keeper)
    assert settings.config.cluster.database == "postgresql://asha:changed@db/x"
    assert settings.complaints == ()


def test_public_port_keeps_its_secrets(world: World) -> None:
    """A file that would be fine on loopback is not taken over by a port that is not."""
    world.config.write_text(f'[answer]\nlisten="0.0.0.0:80"\n[endpoints.a]\nsecrets=["{GOOD}"]')
    keeper, before = world.start()
    world.config.write_text("[endpoints.a]\ndeadline_ms = 100")
    settings = changed(keeper)
    assert settings.config == before.config
    (complaint,) = settings.complaints
    assert complaint.startswith("configuration: answer.listen changed; that takes a restart")
    assert "it has no secret" in complaint


def test_command_line_wins_also_after_a_change(world: World) -> None:
    """What --answer said stays."""
    keeper, settings = world.start(answer="127.0.0.1:7", console="127.0.0.1:6", data="d")
    assert settings.config.data == "d"
    world.config.write_text(CONFIG + "deadline_ms = 500")
    settings = changed(keeper)
    assert (settings.config.answer.listen.port, settings.complaints) == (7, ())
    gone(world.config)
    _, settings = world.start(answer="127.0.0.1:8")
    assert settings.config.answer.listen.port == 8
    with pytest.raises(ConfigError):
        world.start(answer="nonsense")


def test_secret_file_is_followed_and_kept(world: World) -> None:
    """A rotated secret is taken over, and outlives its file, also through a restart."""
    secret = world.path / "secret.txt"
    secret.write_text(GOOD)
    world.environ["FROM_HERE"] = "secret-of-the-environment"
    world.config.write_text(
        '[endpoints.sales]\nsecret_files = ["secret.txt"]\nsecret_env = ["FROM_HERE"]'
    )
    keeper, _ = world.start()
    secret.write_text(OTHER)
    world.clock += timedelta(seconds=1)
    settings, taken = rest(keeper)
    assert settings is not None
    assert [each.name for each in taken] == ["config"]
    gone(secret)
    assert "secret.txt" in changed(keeper).complaints[0]
    del world.environ["FROM_HERE"]
    _, settings = world.start()
    assert [each.reveal() for each in settings.config.endpoints[0].secrets] == [
        OTHER,
        "secret-of-the-environment",
    ]
    assert OTHER not in repr(settings)
    assert "of-the-env" not in "".join(settings.complaints)


CALLING_BACK = """
[accounts.main]
sid = "acme"
region = "mumbai"
key_env = "KEY"
token_env = "TOKEN"
[accounts.main.callbacks]
exophone = "+918047112233"
flow = "77001"
do_not_call_file = "do-not-call.txt"
"""


@pytest.mark.parametrize("damage", BROKEN, ids=lambda each: each.__name__)
def test_a_do_not_call_file_is_followed_and_never_forgotten(
    world: World, damage: Callable[[Path], None]
) -> None:
    """Whom it named is not called because the file was damaged, also after a restart."""
    file = world.path / "do-not-call.txt"
    file.write_text("+919811100001\n")
    world.environ |= {"KEY": "the-key", "TOKEN": "the-token"}
    world.config.write_text(CALLING_BACK)
    keeper, _ = world.start()
    file.write_text("+919811100001\n+919811100002\n")
    world.clock += timedelta(seconds=1)
    both = {"+919811100001", "+919811100002"}
    assert set(changed(keeper).config.accounts[0].do_not_call) == both
    damage(file)
    settings = changed(keeper)
    assert "do-not-call.txt" in settings.complaints[0]
    assert set(settings.config.accounts[0].do_not_call) == both
    _, settings = world.start()
    assert set(settings.config.accounts[0].do_not_call) == both
    assert "9811100001" not in repr(settings)


def test_a_number_may_be_taken_off_the_end_of_a_do_not_call_file(world: World) -> None:
    """With a remark, or where another line is changed too, nobody takes it for a damage."""
    file = world.path / "do-not-call.txt"
    file.write_text("+919811100001\n+919811100002\n")
    world.environ |= {"KEY": "the-key", "TOKEN": "the-token"}
    world.config.write_text(CALLING_BACK)
    keeper, _ = world.start()
    file.write_text("+919811100001\n")
    (complaint,) = changed(keeper).complaints
    assert "do-not-call.txt: it is the beginning of the one that runs" in complaint
    file.write_text("+919811100001\n# that is all\n")
    settings = changed(keeper)
    assert settings.complaints == ()
    assert set(settings.config.accounts[0].do_not_call) == {"+919811100001"}


def test_undo_restores_at_once(world: World) -> None:
    """The running process sees it at its next look, and the undone file isn't taken over again."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two"))
    changed(keeper)
    restored = world.keeper().undo("sales", "asha")  # another process
    assert (restored.text, restored.by) == (rules("one"), "undo: asha")
    settings, taken = keeper.poll()
    assert settings is not None
    assert names(settings) == ["one"]
    assert [(each.name, each.by) for each in taken] == [("rules/sales", "undo: asha")]
    assert "still holds what was undone" in settings.complaints[0]
    (waits,) = settings.unused
    assert (waits.name, waits.file, waits.refused) == ("rules/sales", str(world.sales), False)
    world.sales.touch()
    assert rest(keeper) == (None, ())
    _, again = world.start()
    assert names(again) == ["one"]
    world.sales.write_text(rules("three"))
    settings = changed(keeper)
    assert (names(settings), settings.complaints) == (["three"], ())
    world.sales.write_text(rules("two"))
    assert names(changed(keeper)) == ["two"]  # it has held something else since


def test_undo_goes_back_step_by_step(world: World) -> None:
    """An undo after an undo goes to the ones before those, and ends at the first."""
    keeper, _ = world.start()
    for name in ("two", "three"):
        world.sales.write_text(rules(name))
        changed(keeper)
    assert keeper.undo("sales", "asha").text == rules("two")
    assert keeper.undo("sales", "asha").text == rules("one")
    with pytest.raises(ConfigError, match="no rules before those that run"):
        keeper.undo("sales", "asha")
    assert names(changed(keeper)) == ["one"]
    assert [each.by for each in keeper.history("sales")] == [
        "start",
        "changed file",
        "changed file",
        "undo: asha",
        "undo: asha",
    ]


def test_undo_while_the_file_is_broken_or_gone(world: World) -> None:
    """What was undone isn't taken over when the file comes back with it."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two"))
    changed(keeper)
    gone(world.sales)
    changed(keeper)
    keeper.undo("sales", "asha")
    world.sales.write_text(rules("two"))
    assert names(changed(keeper)) == ["one"]
    world.sales.write_text(rules("one"))
    assert changed(keeper).complaints == ()


def test_a_file_that_does_not_run_is_told_whole(world: World) -> None:
    """With its place and hint, a line for each problem, until it checks out."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two").replace('"two"', '""', 1) + "\nx = 1\n")
    (refused,) = changed(keeper).unused
    assert (refused.name, refused.refused) == ("rules/sales", True)
    first, *others = refused.problem.splitlines()
    assert first == f'{world.sales}:1: rule "#1": it has no name (name = "what it is for")'
    assert len(others) == 1
    world.sales.write_text(rules("two"))
    assert changed(keeper).unused == ()
    world.config.write_text("[nonsense]\n")
    (refused,) = changed(keeper).unused
    assert (refused.name, refused.file) == ("config", str(world.config))
    assert "nonsense" in refused.problem


def test_undo_of_nothing(world: World) -> None:
    """An endpoint that never had rules of its own, and a name that can't be one's, are named."""
    keeper = world.keeper()
    with pytest.raises(ConfigError, match="no rules that were taken over"):
        keeper.undo("sales", "asha")
    for call in (lambda: keeper.undo("../config", "asha"), lambda: keeper.history("../config")):
        with pytest.raises(ConfigError, match="no such endpoint"):
            call()
    assert keeper.history("sales") == ()


def test_undo_to_rules_that_no_longer_load(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rules that a newer version refuses are not put back."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two"))
    changed(keeper)

    def refuse(text: str, *, file: str, kind: EndpointKind) -> None:
        raise RuleError("it is too old", file=file)

    monkeypatch.setattr("switchhook.config.live.load_rules", refuse)
    with pytest.raises(RuleError, match="too old"):
        keeper.undo("sales", "asha")
    assert len(keeper.history("sales")) == 2


VOICEBOT = """
[journal]
segment_mb = 64

[bots.sales.members.a]
url = "wss://a.example/s"
auth_file = "a.txt"

[bots.support.members.b]
url = "wss://b.example/s"

[endpoints.sales]
kind = "voicebot"
rules = "sales.toml"
"""
TO_SUPPORT = '[default]\npool = "support"\n'


def voicebot(world: World) -> tuple[SettingsKeeper, Settings]:
    (world.path / "a.txt").write_text("user:old\n")
    world.config.write_text(VOICEBOT)
    world.sales.write_text(TO_SUPPORT)
    return world.start()


def test_a_members_changed_secret_is_taken_over(world: World) -> None:
    """It is in the running configuration whole, and in its history not at all."""
    keeper, settings = voicebot(world)
    for secret in ("old", "new"):
        (world.path / "a.txt").write_text(f"user:{secret}-password\n")
        settings = changed(keeper)
        address = settings.config.address("sales", "a")
        assert address is not None
        assert address.url.reveal() == f"wss://user:{secret}-password@a.example/s"
        assert "password" not in "".join(each.text for each in settings.sources)
    gone(world.path / "a.txt")
    settings = changed(keeper)
    address = settings.config.address("sales", "a")
    assert address is not None
    assert "new-password" in address.url.reveal()
    assert "can't be read" in settings.complaints[0]
    assert "password@" not in str(settings.complaints)


def test_rules_that_name_no_pool_are_not_taken_over(world: World) -> None:
    keeper, settings = voicebot(world)
    assert settings.rulesets["sales"].otherwise.pool == "support"
    world.sales.write_text('[default]\npool = "suport"\n')
    settings = changed(keeper)
    assert settings.rulesets["sales"].otherwise.pool == "support"
    assert "there is no pool 'suport' (did you mean 'support'?)" in settings.complaints[0]


def test_a_pool_that_rules_name_can_not_go(world: World) -> None:
    """Until the rules say another: then both are taken over, in whatever order they changed."""
    keeper, _ = voicebot(world)
    without = VOICEBOT.replace("bots.support", "bots.other")
    world.config.write_text(without)
    settings = changed(keeper)
    assert settings.config.pool("support") is not None
    assert "there is no pool 'support'" in settings.complaints[0]
    assert "goes on running" in settings.complaints[0]
    world.sales.write_text('[default]\npool = "other"\n')
    settings = changed(keeper)
    assert settings.config.pool("support") is None
    assert settings.rulesets["sales"].otherwise.pool == "other"
    assert settings.complaints == ()


def test_rules_may_name_a_pool_before_it_is_there(world: World) -> None:
    keeper, _ = voicebot(world)
    world.sales.write_text('[default]\npool = "third"\n')
    assert changed(keeper).rulesets["sales"].otherwise.pool == "support"
    world.config.write_text(f'{VOICEBOT}[bots.third.members.c]\nurl = "wss://c.example/s"\n')
    settings = changed(keeper)
    assert settings.rulesets["sales"].otherwise.pool == "third"
    assert settings.complaints == ()


def test_an_endpoint_of_another_kind_takes_rules_of_its_own(world: World) -> None:
    """A passthru becomes a voicebot once its rules do, and what runs meanwhile fits together."""
    keeper, settings = world.start()
    assert settings.rulesets["sales"].kind is EndpointKind.PASSTHRU
    (world.path / "a.txt").write_text("user:old\n")
    world.config.write_text(VOICEBOT)
    settings = changed(keeper)
    assert settings.config.endpoints[0].kind is EndpointKind.PASSTHRU
    assert "is for rules of kind passthru" in settings.complaints[0]
    world.sales.write_text(TO_SUPPORT)
    settings = changed(keeper)
    assert settings.config.endpoints[0].kind is EndpointKind.VOICEBOT
    assert settings.rulesets["sales"].kind is EndpointKind.VOICEBOT
    assert settings.complaints == ()
    again, settings = world.start()
    assert settings.rulesets["sales"].otherwise.pool == "support"
    with pytest.raises(ConfigError, match="these are of kind voicebot"):
        again.undo("sales", "asha")


def test_rules_that_were_undone_to_and_lost_their_pool_give_way_to_the_file(world: World) -> None:
    keeper, _ = voicebot(world)
    world.sales.write_text('[default]\npool = "sales"\n')
    changed(keeper)
    keeper.undo("sales", "asha")
    assert changed(keeper).rulesets["sales"].otherwise.pool == "support"
    world.config.write_text(VOICEBOT.replace("bots.support", "bots.other"))
    settings = changed(keeper)
    assert settings.rulesets["sales"].otherwise.pool == "sales"
    _, settings = world.start()
    assert settings.rulesets["sales"].otherwise.pool == "sales"
    assert settings.complaints == ()


def test_built_in_rules_follow_the_endpoints_pool(world: World) -> None:
    world.config.write_text(
        VOICEBOT.replace('rules = "sales.toml"', 'pool = "sales"').replace("auth_file", "# ")
    )
    keeper, settings = world.start()
    assert settings.rulesets["sales"].otherwise.pool == "sales"
    world.config.write_text(world.config.read_text().replace('pool = "sales"', 'pool = "support"'))
    assert changed(keeper).rulesets["sales"].otherwise.pool == "support"


def test_keywords_that_come_to_have_names_are_doubted(world: World) -> None:
    keeper, _ = world.start()
    world.sales.write_text('[default]\noption = "A"\nselect = "peple"\n')
    assert changed(keeper).complaints == ()
    world.config.write_text(f'{CONFIG}\n[endpoints.sales.selects]\npeople = "the queue"\n')
    settings = changed(keeper)
    assert "select 'peple' leads nowhere" in settings.complaints[0]
    assert settings.rulesets["sales"].otherwise.select == "peple"


def test_two_processes_agree(world: World) -> None:
    """Answer and console both follow the files; one take-over is kept, and told in each."""
    answer, _ = world.start()
    console, _ = world.start()
    world.sales.write_text(rules("two"))
    for keeper in (answer, console):
        settings, taken = rest(keeper)
        assert settings is not None
        assert names(settings) == ["two"]
        assert [each.name for each in taken] == ["rules/sales"]
    assert rest(answer) == rest(console) == (None, ())
    assert len(answer.history("sales")) == 2


def test_history_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest go, but never what runs and what an undo goes back to."""
    monkeypatch.setattr(kept_text, "MOST_KEPT", 5)
    keeper, _ = world.start()
    for count in range(8):
        world.sales.write_text(rules(f"rule {count}"))
        changed(keeper)
    assert [each.number for each in keeper.history("sales")] == [5, 6, 7, 8, 9]
    monkeypatch.setattr(kept_text, "MOST_TEXT", 1)
    world.sales.write_text(rules("large"))
    changed(keeper)
    assert [each.number for each in keeper.history("sales")] == [9, 10]
    assert keeper.undo("sales", "asha").text == rules("rule 7")


def test_damaged_history_is_set_aside(world: World) -> None:
    """Nothing is written over it, the file's rules run, and a complaint says where it went."""
    world.start()
    file = world.data / "kept" / "rules-sales.json"
    for number, content in enumerate((b"", b'{"format": 1, "running": 1}'), 1):
        file.write_bytes(content)
        with pytest.raises(DataFolderError, match="is damaged"):
            world.keeper().history("sales")
        _, settings = world.start()
        assert names(settings) == ["one"]
        aside = file.with_name(f"rules-sales.json.damaged-{number}")
        assert aside.read_bytes() == content
        assert aside.name in settings.complaints[0]
    (world.data / "kept" / "config.json").write_bytes(b"{")
    _, settings = world.start()
    assert "config.json.damaged-1" in settings.complaints[0]
    (world.data / "kept" / "config.json").write_bytes(b"{")
    gone(world.config)
    with pytest.raises(ConfigError, match="can't be read"):
        world.start()


def damaged_at(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    assert content.count(old) >= 1
    file.write_bytes(content.replace(old, new))


def test_a_flipped_bit_of_kept_rules_never_runs_in_silence(world: World) -> None:
    """The operator's file is gone: the kept text with its own hash runs, or nothing does."""
    world.start()
    world.sales.write_text(rules("two"))
    world.start()
    file = world.data / "kept" / "rules-sales.json"
    content = file.read_bytes()
    whole = world.sales.read_bytes()
    gone(world.sales)
    chance = random.Random(13)
    ran, told = set(), []
    for _ in range(60):
        for each in file.parent.glob("rules-sales.json*"):
            each.unlink()
        flipped = bytearray(content)
        flipped[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        file.write_bytes(flipped)
        try:
            _, settings = world.start()
        except (ConfigError, DataFolderError) as error:
            told.append(str(error))
        else:
            assert names(settings) in (["one"], ["two"])
            ran.add(names(settings)[0])
            damaged = "rules-sales.json.damaged-1" in "".join(settings.complaints)
            assert damaged or names(settings) == ["two"]
    refused = r"rules-sales.json is damaged; put the file back, or restore a backup"
    assert told
    assert all(refused in each for each in told)
    assert "two" in ran
    world.sales.write_bytes(whole)


def test_rules_whose_text_is_damaged_give_way_to_the_file_else_to_those_before(
    world: World,
) -> None:
    world.start()
    world.sales.write_text(rules("two"))
    world.start()
    file = world.data / "kept" / "rules-sales.json"
    damaged_at(file, b"two", b"twn")
    _, settings = world.start()
    assert names(settings) == ["two"]
    assert "is now in rules-sales.json.damaged-1" in settings.complaints[0]
    damaged_at(file, b"two", b"twn")
    gone(world.sales)
    _, settings = world.start()
    assert names(settings) == ["one"]
    assert any("rules-sales.json.damaged-2" in each for each in settings.complaints)


def test_a_damaged_kept_configuration_is_never_run(world: World) -> None:
    """With the operator's file that runs; without it the start says what is to be done."""
    world.start()
    file = world.data / "kept" / "config.json"
    damaged_at(file, b"sales", b"sahes")
    _, settings = world.start()
    assert "config.json.damaged-1" in settings.complaints[0]
    damaged_at(file, b"sales", b"sahes")
    gone(world.config)
    with pytest.raises(ConfigError, match=r"config.json.damaged-2; put the file back, or restore"):
        world.start()


def test_a_start_without_any_file_says_that_the_rules_kept_are_damaged(world: World) -> None:
    world.sales.write_text(rules("two"))
    world.start()
    damaged_at(world.data / "kept" / "rules-sales.json", b"two", b"twn")
    gone(world.config)
    gone(world.sales)
    said = r"ran last can't run either: .*rules-sales.json is damaged; put the file back"
    with pytest.raises(ConfigError, match=said):
        world.start()


def test_an_older_release_s_kept_files_get_a_checksum(world: World) -> None:
    world.start()
    for name in ("config.json", "rules-sales.json"):
        file = world.data / "kept" / name
        stored = json.loads(file.read_bytes())
        assert stored.pop("checksum")
        file.write_text(json.dumps(stored))
    world.start()
    for name in ("config.json", "rules-sales.json"):
        assert "checksum" in json.loads((world.data / "kept" / name).read_bytes())


def test_damage_while_running(world: World) -> None:
    """What runs is in memory, and is kept anew at once; an undo finds it."""
    keeper, _ = world.start()
    (world.data / "kept" / "rules-sales.json").write_bytes(b"{")
    settings = changed(keeper)
    assert names(settings) == ["one"]
    assert [str(each) for each in settings.damage] == list(settings.complaints)
    assert "their history was damaged; it is now in rules-sales.json" in settings.complaints[0]
    world.sales.write_text(rules("two"))
    assert names(changed(keeper)) == ["two"]
    assert world.keeper().undo("sales", "asha").text == rules("one")


def looked_again(world: World, keeper: SettingsKeeper) -> Settings:
    """What runs after the look at what is kept."""
    world.clock += timedelta(seconds=RETRY_S)
    return changed(keeper)


def test_a_bit_that_flips_while_running_is_said_and_what_runs_is_kept_anew(world: World) -> None:
    """Its size and its times are as they were; commands that go by it, as `backup`, go on."""
    keeper, before = world.start()
    file = world.data / "kept" / "config.json"
    for number in (1, 2):
        was = file.stat()
        damaged_at(file, b"sales", b"sahes")
        os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))
        with pytest.raises(DataFolderError, match=r"config.json is damaged .*--config FILE"):
            running_config(world.data)
        settings = looked_again(world, keeper)
        assert settings.config == before.config
        assert settings.refused == ()
        (said,) = settings.complaints
        assert f"was damaged; it is now in config.json.damaged-{number} (see whether" in said
        assert running_config(world.data) == before.config
    for each in file.parent.glob("config.json.damaged-*"):
        each.unlink()
    assert looked_again(world, keeper).complaints == ()
    file.unlink()
    world.clock += timedelta(seconds=RETRY_S)
    rest(keeper)
    assert running_config(world.data) == before.config


def test_damage_while_the_operator_s_files_are_broken(world: World) -> None:
    """What runs is kept, not what ran before it and can still be read."""
    keeper, _ = world.start()
    world.sales.write_text(rules("two"))
    changed(keeper)
    world.sales.write_text("?")
    changed(keeper)
    file = world.data / "kept" / "rules-sales.json"
    damaged_at(file, b"two", b"twn")
    assert names(looked_again(world, keeper)) == ["two"]
    assert [each.text for each in keeper.history("sales")] == [rules("one"), rules("two")]
    file.write_bytes(b"{")
    assert names(looked_again(world, keeper)) == ["two"]
    assert [each.text for each in world.keeper().history("sales")] == [rules("two")]


def test_damage_of_what_was_kept_of_a_file_that_no_start_names_any_more(world: World) -> None:
    """It may say whom backups are encrypted to: that is for a person to give up."""
    world.start()
    keeper = SettingsKeeper(world.data, None, environ={}, now=world.now)
    assert keeper.start().complaints == ()
    file = world.data / "kept" / "config.json"
    damaged_at(file, b"sales", b"sahes")
    (said,) = looked_again(world, keeper).complaints
    assert said == (
        "configuration: config.json is damaged, which was kept of a file"
        " (commands go by it: start with that file, or remove kept/config.json)"
    )
    file.unlink()
    assert looked_again(world, keeper).complaints == ()


def test_newer_version_s_history_is_left_alone(world: World) -> None:
    """A start on it is refused with what to do."""
    world.start()
    file = world.data / "kept" / "rules-sales.json"
    file.write_bytes(b'{"format": 2}')
    with pytest.raises(DataFolderError, match="newer version"):
        world.start()
    assert file.read_bytes() == b'{"format": 2}'


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """A disk that takes nothing while the list holds True."""
    full = [False]
    really = kept_files.atomic_write

    def write(path: Path, content: bytes) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        really(path, content)

    monkeypatch.setattr(kept_files, "atomic_write", write)
    return full


def test_full_disk_does_not_stop_a_take_over(world: World, full_disk: list[bool]) -> None:
    """It runs, says that it could not be kept, and is kept when there is room again."""
    keeper, _ = world.start()
    world.sales.write_text(rules("one and a half"))
    changed(keeper)
    full_disk[0] = True
    world.sales.write_text(rules("two"))
    world.config.write_text(CONFIG + "deadline_ms = 500")
    settings, taken = rest(keeper)
    assert settings is not None
    assert names(settings) == ["two"]
    assert settings.config.endpoints[1].deadline_ms == 500
    assert len(taken) == 2
    assert [complaint.split(" can't be kept")[0] for complaint in settings.complaints] == [
        "configuration",
        "rules of endpoint sales",
    ]
    world.clock += timedelta(seconds=6)
    assert rest(keeper) == (None, ())  # still full
    with pytest.raises(DataFolderError, match="no space left"):
        keeper.undo("sales", "asha")
    full_disk[0] = False
    world.clock += timedelta(seconds=6)
    settings, taken = rest(keeper)
    assert settings is not None
    assert (settings.complaints, taken) == ((), ())
    assert [each.text for each in keeper.history("sales")][1:] == [
        rules("one and a half"),
        rules("two"),
    ]
    gone(world.config)
    _, settings = world.start()
    assert settings.config.endpoints[1].deadline_ms == 500


def test_first_start_on_a_full_disk(world: World, full_disk: list[bool]) -> None:
    """Callers are answered all the same."""
    full_disk[0] = True
    keeper, settings = world.start()
    assert names(settings) == ["one"]
    assert len(settings.complaints) == 3
    world.sales.write_text("broken")
    assert names(changed(keeper)) == ["one"]


def test_process_that_hangs_with_the_lock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process that never lets go does not keep this one from starting."""
    world.start()
    monkeypatch.setattr(kept_files, "LOCK_WAIT_S", 0.0)
    locked = last_good.KeptFolder(world.data).locked()
    with locked:
        settings = world.keeper().start()
        assert names(settings) == ["one"]
        assert "does not end" in settings.complaints[0]
        with pytest.raises(DataFolderError, match="does not end"):
            world.keeper().undo("sales", "asha")
    assert world.keeper().start().complaints == ()


def test_no_secret_in_what_is_shown(world: World) -> None:
    """Neither settings nor records nor the values that carry them show one."""
    keeper, settings = world.start()
    world.config.write_text(CONFIG.replace(GOOD, OTHER))
    changed(keeper)
    shown = [repr(settings), repr(settings.running), repr(keeper._config._checked)]
    stored = last_good.KeptFolder(world.data).config()
    assert stored is not None
    shown += [repr(stored), repr(stored.history)]
    assert not any(GOOD in text or OTHER in text for text in shown)
    assert [entry.number for entry in stored.history] == [1, 2]


def test_find_data_folder(world: World) -> None:
    """The command line, else the file, be it broken, else beside the file."""
    assert find_data_folder(None, None) == Path("data")
    assert find_data_folder(str(world.config), "/d") == Path("/d")
    assert find_data_folder(str(world.config), None) == world.path / "data"
    world.config.write_text('data = "here"\n[broken')
    assert find_data_folder(str(world.config), None) == world.path / "here"
    gone(world.config)
    assert find_data_folder(str(world.config), None) == world.path / "data"


def test_read_whole_never_waits(tmp_path: Path) -> None:
    """A pipe without a writer would stop a plain read for ever."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        operator_files.read_whole(str(tmp_path / "pipe"))


def test_each_text_is_read_once_at_a_start_and_not_again_while_nothing_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With hundreds of endpoints reading them again is seconds in which callers wait."""
    world.start()
    read: list[str] = []
    load = rules_terms.load_rules

    def counted(text: str | bytes, *, file: str, **more: Any) -> Ruleset:
        read.append(file)
        return load(text, file=file, **more)

    monkeypatch.setattr(rules_terms, "load_rules", counted)
    keeper, _ = world.start()
    for _ in range(3):
        world.clock += timedelta(seconds=RETRY_S)
        rest(keeper)
    assert sorted(read) == sorted(map(str, (world.sales, world.support)))


def test_what_is_kept_is_looked_at_again_only_where_something_was_changed_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper, _ = world.start()
    looked: list[str] = []
    mend = last_good.KeptFolder.mend_text

    def counted(kept: last_good.KeptFolder, file: Path, *more: Any) -> None:
        looked.append(file.name)
        mend(kept, file, *more)

    monkeypatch.setattr(last_good.KeptFolder, "mend_text", counted)
    for _ in range(3):
        world.clock += timedelta(seconds=RETRY_S)
        rest(keeper)
    assert sorted(each for each in looked if each.startswith("rules-")) == [
        "rules-sales.json",
        "rules-support.json",
    ]
    (world.data / "kept" / "rules-sales.json").unlink()
    world.clock += timedelta(seconds=RETRY_S)
    rest(keeper)
    assert (world.data / "kept" / "rules-sales.json").exists()
