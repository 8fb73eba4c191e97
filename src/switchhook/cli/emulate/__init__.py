"""`switchhook emulate`: an Exotel on this machine, and its bad days by name."""

from __future__ import annotations

from cyclopts import App

from switchhook.cli.emulate.check import check
from switchhook.cli.emulate.heartbeat import heartbeat
from switchhook.cli.emulate.load import load
from switchhook.cli.emulate.replay import replay
from switchhook.cli.emulate.run import run
from switchhook.cli.emulate.start import emulate
from switchhook.cli.emulate.story import story

app = App(name="emulate", help="An Exotel on this machine: it calls your bot and your passthru.")
app.default(emulate)
for _command in (check, run, load, replay, story, heartbeat):
    app.command(_command)
