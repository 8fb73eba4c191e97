"""The programs: `serve`, and `answer`, `console` and `shipper` for those who run them apart."""

from __future__ import annotations

import logging
import os
import resource
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.cli.options import CONFIG, DATA
from switchhook.errors import ConfigError

if TYPE_CHECKING:
    from switchhook.config.discovery import FoundConfig
    from switchhook.config.live import Settings, SettingsKeeper
    from switchhook.system.supervised import SupervisorPipes

log = logging.getLogger("switchhook")

ANSWER = Annotated[
    str | None,
    Parameter(name="--answer", help="HOST:PORT of the public side; port 0 takes a free one."),
]
CONSOLE = Annotated[str | None, Parameter(name="--console", help="HOST:PORT of the private side.")]
_FD = Annotated[int | None, Parameter(show=False)]


def serve(
    *, config: CONFIG = None, data: DATA = None, answer: ANSWER = None, console: CONSOLE = None
) -> int:
    """Answer passthrus and run the console, both kept alive.

    Without --config it takes switchhook.toml in the folder that it is run in, else that in
    /etc/switchhook, else the defaults. When both are ready it prints which it took, the data folder
    and both addresses, one line each; to a terminal also the URL of each passthru without a
    configured secret, and the way in while nobody has an account.
    """
    found = _found(config)
    keeper = _begin(found.file, data, answer, console)
    settings = keeper.start()
    from switchhook.server import run_both
    from switchhook.server.exposed import warn_of
    from switchhook.server.joined import join_cluster
    from switchhook.system.logs import set_up

    set_up(json=settings.config.log.json, level=settings.config.log.level)
    taken, broken = _taken(settings, found.file)
    if broken:
        log.warning("by %s, as %s", taken, broken)
    warn_of(keeper)
    join_cluster(settings.config, keeper.data_folder)
    for other in found.not_taken:
        log.warning("%s is not taken: %s is", other, taken)

    given = {
        "--config": keeper.config_file,
        "--data": str(keeper.data_folder),
        "--answer": answer,
        "--console": console,
    }
    words = [word for name, value in given.items() if value is not None for word in (name, value)]
    return run_both(settings.config, taken, keeper.data_folder, words)


def answer_side(
    *,
    config: CONFIG = None,
    data: DATA = None,
    answer: ANSWER = None,
    console: CONSOLE = None,
    socket_fd: _FD = None,
    beat_fd: _FD = None,
    life_fd: _FD = None,
) -> int:
    """Run the public side alone: answer passthrus and keep their receipts."""
    keeper = _begin(_own(config, socket_fd), data, answer, console)
    from switchhook.server import run_answer

    return run_answer(keeper, socket_fd, _supervisor_pipes(beat_fd, life_fd))


def console_side(
    *,
    config: CONFIG = None,
    data: DATA = None,
    answer: ANSWER = None,
    console: CONSOLE = None,
    socket_fd: _FD = None,
    beat_fd: _FD = None,
    life_fd: _FD = None,
    answer_url: Annotated[str | None, Parameter(show=False)] = None,
) -> int:
    """Run the private side alone: fold what was kept, and show it."""
    keeper = _begin(_own(config, socket_fd), data, answer, console)
    from switchhook.server import run_console

    return run_console(keeper, socket_fd, _supervisor_pipes(beat_fd, life_fd), answer_url)


def shipper_side(
    *, config: CONFIG = None, data: DATA = None, answer: ANSWER = None, console: CONSOLE = None
) -> int:
    """Run the hand-over alone: give the database that nodes share what this one keeps."""
    keeper = _begin(_own(config, None), data, answer, console)
    if keeper.start().config.cluster.database is None:
        problem = "there is no database to hand the journal over to"
        raise ConfigError(problem, key="cluster.database", hint="one machine needs no shipper")
    from switchhook.server import shipper_program

    # What reads configurations would take several times the memory of all the rest.
    words = shipper_program(keeper.data_folder)
    os.execv(words[0], words)  # noqa: S606 - our own program


def _found(config: str | None) -> FoundConfig:
    from switchhook.config.discovery import find_config

    return find_config(config)


def _taken(settings: Settings, file: str | None) -> tuple[str, str]:
    """What runs: the file that was found, or what was kept of one; and why not the file then."""
    broken = [each for each in settings.unused if each.name == "config" and each.refused]
    if broken:
        why = "; ".join(broken[0].problem.splitlines())
        return f"what ran last of {settings.sources[0].file}", why
    return file or "none, so the defaults: switchhook init makes one", ""


def _own(config: str | None, socket_fd: int | None) -> str | None:
    """The configuration of a side that runs alone; one that `serve` started has what it was given.

    Else a file made since would be taken by whichever side is started again.
    """
    return config if socket_fd is not None else _found(config).file


def _begin(
    config: str | None, data: str | None, answer: str | None, console: str | None
) -> SettingsKeeper:
    """What every program of ours does first."""
    from switchhook.config.live import Overrides, SettingsKeeper, find_data_folder
    from switchhook.system.logs import set_up

    set_up()
    # A connection is a file: the default of 1,024 would turn callers away.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return SettingsKeeper(
        find_data_folder(config, data),
        config,
        environ=os.environ,
        overrides=Overrides(data, answer, console),
    )


def _supervisor_pipes(beat: int | None, life: int | None) -> SupervisorPipes:
    from switchhook.system.supervised import SupervisorPipes

    return SupervisorPipes(beat, life)
