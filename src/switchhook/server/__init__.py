"""The only package that knows all the parts: it wires them into the programs, and into one.

`run_both` is the supervisor; `run_answer`, `run_console` and, where nodes share a database, the
shipper are what it starts, or what those who deploy them apart start themselves.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from switchhook.system.data_folder import read_identity
from switchhook.system.supervisor import Child, program, supervise

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.config.live import SettingsKeeper
    from switchhook.system.supervised import SupervisorPipes

__all__ = ["run_answer", "run_both", "run_console", "shipper_program"]

# Each process loads its own program's parts only: the answer side starts without Starlette.


def run_answer(keeper: SettingsKeeper, fd: int | None, pipes: SupervisorPipes) -> int:
    """The answer program; `fd` is the number of a listening socket that somebody else owns."""
    from switchhook.server.answer import run

    return run(keeper, fd, pipes)


def run_console(
    keeper: SettingsKeeper, fd: int | None, pipes: SupervisorPipes, answer_url: str | None = None
) -> int:
    """The console program, likewise; `answer_url` is where the answer side really listens."""
    from switchhook.server.console import run

    return run(keeper, fd, pipes, answer_url)


def shipper_program(folder: Path) -> list[str]:
    """The command line of the shipper of a data folder. It goes by what is kept there as it runs.

    It has no command line of its own kind: what reads those is a tenth of its memory.
    """
    return [sys.executable, "-m", "switchhook.server.shipper", "--data", str(folder)]


def run_both(config: Config, taken: str, folder: Path, words: list[str]) -> int:
    """Supervise the programs on a data folder; `words` are the options that they get.

    `taken` says where the configuration came from.
    """
    from switchhook.server.local_socket import listening_in, remove_socket
    from switchhook.server.sockets import inherited, listening, url_of

    systemd = inherited(("answer", config.answer.listen), ("console", config.console.listen))
    clustered = config.cluster.database is not None
    # Who comes while a node starts is better refused than kept: a balancer then asks another node.
    answer = systemd.get("answer") or listening(
        config.answer.listen.host, config.answer.listen.port, at_once=not clustered
    )
    console = systemd.get("console") or listening(
        config.console.listen.host, config.console.listen.port
    )
    shipper = listening_in(folder) if clustered else None

    def announce() -> None:
        sys.stdout.write(f"config {taken}\n")
        sys.stdout.write(f"data {folder}\n")
        sys.stdout.write(f"answer {url_of(answer)}\nconsole {url_of(console)}\n")
        if sys.stdout.isatty():  # what a log gets must let nobody in
            sys.stdout.writelines(_own_links(config, folder, url_of(answer)))
        sys.stdout.flush()

    beside = ["--answer-url", url_of(answer)]

    async def run() -> int:
        children = [
            Child("answer", program("answer", *words), answer),
            Child(
                "console", program("console", *words, *beside), console, needed=False, patience=5
            ),
        ]
        if shipper is not None:
            children.append(Child("shipper", shipper_program(folder), shipper, needed=False))
        return await supervise(children, announce)

    try:
        return asyncio.run(run())
    finally:
        if shipper is not None:
            remove_socket(folder)


def _own_links(config: Config, folder: Path, answer_url: str) -> list[str]:
    """A line for each endpoint that is asked by an address of its own."""
    from switchhook.config.own_links import passthru_paths

    paths = passthru_paths(config, read_identity(folder).key)
    return [f"{path.split('/')[1]} {answer_url}{path}\n" for path in paths.values()]
