"""Commands that do something to promises, one or all that have something in common."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.callbacks.acts import PromiseAct
from switchhook.callbacks.filters import words
from switchhook.cli import output
from switchhook.cli.options import CONFIG, DATA
from switchhook.cli.promises_parts import REASON, Which, by, opened
from switchhook.errors import PromiseError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from switchhook.callbacks.lists_ledger import LeftOut


@Parameter(name="*")
@dataclass(frozen=True)
class Meant(Which):
    """Which promises are meant, and whether that is asked once more."""

    all_: Annotated[bool, Parameter(name="--all", negative="", help="All promises there are.")] = (
        False
    )
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Don't ask.")] = False

    @property
    def says_which(self) -> bool:
        """Whether anything says which ones."""
        return self.all_ or any(
            each is not None
            for each in (
                self.state,
                self.account,
                self.class_,
                self.promised_for,
                self.number,
                self.since,
                self.until,
            )
        )


NOTHING = Meant()


def cancel(
    *ids: int, reason: REASON, meant: Meant = NOTHING, config: CONFIG = None, data: DATA = None
) -> int:
    """Cancel promises, by their ids or by what they have in common.

    One whose call is on its way ends after that call.

    Parameters
    ----------
    ids
        Their numbers, as `switchhook promises list` shows them.
    """
    return _act(PromiseAct.CANCEL, ids, meant, reason, config, data)


def pause(
    *ids: int, reason: REASON, meant: Meant = NOTHING, config: CONFIG = None, data: DATA = None
) -> int:
    """Hold promises back: none is dialled until it is resumed. Their time goes on.

    Parameters
    ----------
    ids
        Their numbers, as `switchhook promises list` shows them.
    """
    return _act(PromiseAct.PAUSE, ids, meant, reason, config, data)


def resume(
    *ids: int, reason: REASON, meant: Meant = NOTHING, config: CONFIG = None, data: DATA = None
) -> int:
    """Let promises go on that were held back.

    Parameters
    ----------
    ids
        Their numbers, as `switchhook promises list` shows them.
    """
    return _act(PromiseAct.RESUME, ids, meant, reason, config, data)


def retry(
    *ids: int, reason: REASON, meant: Meant = NOTHING, config: CONFIG = None, data: DATA = None
) -> int:
    """Have promises dialled again that were broken or dropped: one more attempt, a new time.

    Parameters
    ----------
    ids
        Their numbers, as `switchhook promises list` shows them.
    """
    return _act(PromiseAct.RETRY, ids, meant, reason, config, data)


def expire(
    *ids: int, reason: REASON, meant: Meant = NOTHING, config: CONFIG = None, data: DATA = None
) -> int:
    """End promises as if their time were over.

    Parameters
    ----------
    ids
        Their numbers, as `switchhook promises list` shows them.
    """
    return _act(PromiseAct.EXPIRE, ids, meant, reason, config, data)


_DONE = {
    PromiseAct.CANCEL: "cancelled",
    PromiseAct.PAUSE: "held back",
    PromiseAct.RESUME: "resumed",
    PromiseAct.RETRY: "to be dialled again",
    PromiseAct.EXPIRE: "expired",
}


def _act(
    act: PromiseAct,
    ids: tuple[int, ...],
    meant: Meant,
    reason: str,
    config: str | None,
    data: str | None,
) -> int:
    """Do it to what is meant. Exit code 1 where it did nothing, or somebody said no."""
    if not ids and not meant.says_which:
        hint = "give their ids, a filter such as --state open --account main, or --all"
        raise PromiseError("which promises is not said", hint)
    with opened(config, data) as at:
        wanted = at.meant(meant, ids)
        meets = at.steering.count(act, wanted)
        count = meets.changed
        if not count:
            said = f": {output.plain(words(wanted))}" if not ids else ""
            output.out.print(f"there is none to {act}{said}")
            _say_left_out(meets.left_out)
            return 1
        question = f"{act} {_promises(count)} ({output.plain(words(wanted))})?"
        if not (ids or meant.yes or _agreed(question)):
            output.err.print("nothing was touched")
            return 1
        done = at.steering.act(by(), act, wanted, reason)
        output.out.print(f"{_promises(done.changed)} {_DONE[act]}")
        _say_left_out(done.left_out)
        return int(done.changed == 0)


def _say_left_out(left_out: Iterable[LeftOut]) -> None:
    for each in left_out:
        output.err.print(f"number {each.id} is left out: {output.plain(each.why)}")


def _promises(count: int) -> str:
    return "1 promise" if count == 1 else f"{count:,} promises"


def _agreed(question: str) -> bool:
    """Whether somebody at a terminal says yes; elsewhere `--yes` has to."""
    if not sys.stdin.isatty():
        output.err.print(f"{question} Say --yes")
        return False
    output.err.print(f"{question} [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")
