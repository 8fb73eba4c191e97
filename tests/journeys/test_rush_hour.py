"""A rush hour with the real server: callers whom the line or the bot fails are called back."""

from __future__ import annotations

import asyncio

import pytest

from program import command
from switchhook.cli.emulate.own_server import own_server
from switchhook.cli.emulate.rush_hour import rush_hour
from switchhook.emulator.runs.rush_hour import RushHour
from switchhook.errors import TrialError

pytestmark = pytest.mark.process

SMALL = RushHour(
    callers=14,
    over_s=8,
    streams=3,
    talks_s=3,
    dies_after_s=4,
    dead_for_s=2,
    reserve=0,
    within_s=60,
    counts_after_s=75,
    bad_api=False,
)


def test_everybody_is_served_called_back_or_listed_and_nothing_is_left_behind(capsys):
    assert rush_hour(SMALL, seed=4) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].startswith("14 callers: ")
    assert said[-1].endswith(" 0 missing")
    assert said[-2].endswith("nobody was called twice")
    back = int(said[-1].partition(" called back")[0].rpartition(" ")[2])
    assert back > 0
    page = next(line for line in said if line.startswith("the page: "))
    assert "/open/" in page


@pytest.mark.parametrize("option", ["--passthru=http://127.0.0.1:1/p", "--bot=ws://127.0.0.1:1/"])
def test_it_takes_no_server_of_somebody_else(option):
    done = command("emulate", "run", "rush-hour", option, code=None)
    assert done.code != 0
    assert "leave out all options but --seed" in done.err


def test_a_server_that_does_not_start_says_why_and_where_its_log_is(tmp_path):
    config = tmp_path / "switchhook.toml"
    config.write_text("[answr]\n")

    async def start():
        async with own_server(config):
            pass

    with pytest.raises(TrialError) as caught:
        asyncio.run(start())
    assert "answr" in str(caught.value)
    assert str(tmp_path / "server.log") in caught.value.hint
