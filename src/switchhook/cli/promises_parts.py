"""What the commands about promises share: opening them, and which ones are meant."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter
from msgspec.structs import replace

from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.numbers import HOW_WRITTEN
from switchhook.callbacks.promise import TOKEN_BYTES, PromiseState, token_of
from switchhook.callbacks.queries import PromiseLedgers
from switchhook.callbacks.steering import Steering
from switchhook.callbacks.view import CallingAccount
from switchhook.cli import output
from switchhook.cli.data import config_for_deed, config_or_last, data_folder, steady_now_ms
from switchhook.cli.ledger import deed
from switchhook.config.calling_back import own_numbers
from switchhook.errors import PromiseError
from switchhook.exotel.fields import Unusable, e164
from switchhook.server.places import ledger_of
from switchhook.web.moments import read_moment

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from switchhook.callbacks.lists_ledger import PromiseLists
    from switchhook.config import Config

REASON = Annotated[str, Parameter(name="--reason", help="Why, for those who read it tomorrow.")]
_REGION = "IN"


@Parameter(name="*")
@dataclass(frozen=True)
class Which:
    """Which promises."""

    state: Annotated[
        str | None, Parameter(name="--state", help="In one of these states: open,paused.")
    ] = None
    account: Annotated[str | None, Parameter(name="--account", help="Of this account.")] = None
    class_: Annotated[str | None, Parameter(name="--class", help="Of this class.")] = None
    promised_for: Annotated[
        str | None, Parameter(name="--promised-for", help="Made for exactly this reason.")
    ] = None
    number: Annotated[
        str | None,
        Parameter(name="--number", allow_leading_hyphen=True, help="To this number."),
    ] = None
    since: Annotated[
        str | None, Parameter(name="--since", help="Made since then: a time, or 2h ago.")
    ] = None
    until: Annotated[str | None, Parameter(name="--until", help="Made before then.")] = None


EVERY = Which()


class OpenPromises(NamedTuple):
    """The promises of a data folder, beside a console that may run."""

    folder: Path
    config: Config
    ledgers: PromiseLedgers
    steering: Steering

    @property
    def lists(self) -> PromiseLists:
        return self.ledgers.lists

    def now_ms(self) -> int:
        return steady_now_ms(self.folder)

    def meant(self, which: Which, ids: tuple[int, ...] = ()) -> PromiseFilter:
        """The filter that options say. Raises PromiseError, also for a name that none has."""
        wanted = filter_of(which, self.now_ms(), ids)
        unknown = self.lists.unknown_name(wanted, accounts_of(self.config))
        if unknown is not None:
            raise PromiseError(unknown.problem, unknown.hint)
        return wanted


@contextmanager
def opened(
    config: str | None, data: str | None, *, to_look: bool = False
) -> Iterator[OpenPromises]:
    """Open the promises; what ran last stands in for a file that is refused only `to_look`.

    Raises ConfigError, DataFolderError, LedgerError, OSError.
    """
    folder = data_folder(config, data)
    found = config_or_last(folder, config) if to_look else config_for_deed(config, data)
    ledger = ledger_of(folder)
    try:
        ledgers = PromiseLedgers(ledger)
        steering = Steering(
            ledgers,
            accounts=lambda: accounts_of(found),
            own=lambda: own_numbers(found),
            now_ms=lambda: steady_now_ms(folder),
            token=lambda: token_of(secrets.token_bytes(TOKEN_BYTES)),
        )
        yield OpenPromises(folder, found, ledgers, steering)
    finally:
        ledger.close()


def accounts_of(config: Config) -> Mapping[str, CallingAccount]:
    """The accounts that call back, by name."""
    return {
        each.name: CallingAccount(each.name, each.callbacks)
        for each in config.accounts
        if each.callbacks is not None
    }


def by() -> Viewer:
    """Whoever runs the command: they own the data folder, and so may do all of it."""
    done = deed("")
    before = done.details.get("by sudo of")
    origin = f"{done.origin}, by sudo of {before}" if before else done.origin
    return Viewer(done.who, Role.ADMINISTRATOR, origin=origin)


def filter_of(which: Which, now_ms: int, ids: tuple[int, ...] = ()) -> PromiseFilter:
    """The filter that options say. Raises PromiseError for what can't be read."""
    return PromiseFilter(
        ids=ids,
        states=_states(which.state),
        accounts=() if which.account is None else (which.account,),
        classes=() if which.class_ is None else (which.class_,),
        reason=which.promised_for or "",
        number="" if which.number is None else _number(which.number),
        made_since_ms=_moment(which.since, now_ms),
        made_before_ms=_moment(which.until, now_ms),
    )


def among(wanted: PromiseFilter, states: tuple[PromiseState, ...]) -> PromiseFilter:
    """Those of a filter that are in some states."""
    return replace(wanted, states=states)


def _states(said: str | None) -> tuple[PromiseState, ...]:
    if said is None:
        return ()
    known = {each.value: each for each in PromiseState}
    wanted = [each.strip() for each in said.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in known]
    if unknown or not wanted:
        problem = f"there is no state {output.short((unknown or [said])[0], 40)!r}"
        raise PromiseError(problem, f"one or several of {', '.join(known)}")
    return tuple(dict.fromkeys(known[each] for each in wanted))


def _number(said: str) -> str:
    found = e164(said.strip(), _REGION)
    if found is None or isinstance(found, Unusable):
        raise PromiseError("that is no full telephone number", HOW_WRITTEN)
    return found


def _moment(said: str | None, now_ms: int) -> int | None:
    if said is None:
        return None
    found = read_moment(said, now_ms, output.own_zone())
    if found is None:
        problem = f"{output.short(said, 40)!r} is no time"
        raise PromiseError(problem, "such as 2h, 18:30 or 2026-11-29T18:30+05:30")
    return found
