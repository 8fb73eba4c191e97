"""Troubles whose words are known where they are met: files of the operator, and Exotel's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.errors import sentence
from switchhook.troubles.metrics import key_of
from switchhook.troubles.text import name_text
from switchhook.troubles.trouble import Level, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from switchhook.capacity.status import CapacityNow


def known_troubles(refused: Sequence[str], capacity: Sequence[CapacityNow]) -> Iterable[Trouble]:
    """What is wrong with files, one complaint each, and with polls, in full."""
    if refused:
        yield _of_files(refused)
    for account in capacity:
        if account.problem:
            yield _of_polls(account)


def _of_files(refused: Sequence[str]) -> Trouble:
    what, _, rest = refused[0].partition("; ")
    more = f"{len(refused) - 1} more: see `switchhook check`." if len(refused) > 1 else ""
    return Trouble(
        level=Level.WARN,
        order=6,
        key=key_of("rules.refused", ()),
        what=sentence(what),
        callers=sentence(rest) if rest else "",
        went=more,
        fault="At fault: a file of yours.",
        todo="Mend it: it is taken over at once, and `switchhook check` says whether it can be.",
    )


def _of_polls(account: CapacityNow) -> Trouble:
    what, _, todo = account.problem.partition(": ")
    of = f" of account {name_text(account.account)}" if account.account else ""
    return Trouble(
        level=Level.WARN,
        order=3,
        key=key_of("account.unreadable_polls", (("account", account.account),)),
        what=sentence(f"Exotel's count of streams{of} can't be read: {what}"),
        callers="Callers are answered all the same, but how many streams are left is not known.",
        fault="At fault: Exotel's API, or the account's key.",
        todo=sentence(todo) if todo else "",
    )
