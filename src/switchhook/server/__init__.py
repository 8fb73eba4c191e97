"""The only package that knows all the parts: it wires them into the two programs, and into one.

`run_both` is the supervisor with both; `run_answer` and `run_console` are what it starts, or what
those who deploy them apart start themselves.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

from switchhook.config.own_links import passthru_paths
from switchhook.server.sockets import inherited, listening, url_of
from switchhook.system.data_folder import read_identity
from switchhook.system.supervisor import Child, program, supervise

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.config.live import SettingsKeeper
    from switchhook.system.supervised import SupervisorPipes

__all__ = ["run_answer", "run_both", "run_console"]

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


def run_both(config: Config, file: str | None, folder: Path, words: list[str]) -> int:
    """Supervise both programs on a data folder; `words` are the options that they get.

    `file` is where the configuration came from.
    """
    systemd = inherited(("answer", config.answer.listen), ("console", config.console.listen))
    answer = systemd.get("answer") or listening(
        config.answer.listen.host, config.answer.listen.port
    )
    console = systemd.get("console") or listening(
        config.console.listen.host, config.console.listen.port
    )

    def announce() -> None:
        sys.stdout.write(f"config {file or 'none, so the defaults: switchhook init makes one'}\n")
        sys.stdout.write(f"data {folder}\n")
        sys.stdout.write(f"answer {url_of(answer)}\nconsole {url_of(console)}\n")
        if sys.stdout.isatty():  # what a log gets must let nobody in
            paths = passthru_paths(config, read_identity(folder).key)
            sys.stdout.writelines(
                f"{path.split('/')[1]} {url_of(answer)}{path}\n" for path in paths.values()
            )
        sys.stdout.flush()

    beside = ["--answer-url", url_of(answer)]

    async def run() -> int:
        children = [
            Child("answer", program("answer", *words), answer),
            Child(
                "console", program("console", *words, *beside), console, needed=False, patience=5
            ),
        ]
        return await supervise(children, announce)

    return asyncio.run(run())
