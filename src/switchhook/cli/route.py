"""`switchhook route`: which bots get calls, and the acts of a night."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

from cyclopts import App, Parameter

from switchhook.cli import output
from switchhook.cli.data import config_or_last, data_folder, steady_now_ms
from switchhook.cli.ledger import deed
from switchhook.cli.moments import length_said
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.route_shown import pairs, print_counted, print_hands, print_pools, standing
from switchhook.cli.told import until_told
from switchhook.errors import HandError
from switchhook.metrics import duration_text
from switchhook.routes.hands import (
    HandWanted,
    KnownRoutes,
    change_of,
    noted,
    noted_undo,
    seat_of,
    undone,
    words_of,
)
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.routes.json import hand_json, pool_json
from switchhook.routes.routes_file import read_routes
from switchhook.routes.view import RoutesView, hands_view, pool_view
from switchhook.rules.bot_pool import MemberState
from switchhook.rules.routing import HandAct
from switchhook.server.places import ledger_of
from switchhook.server.told_in_ledger import tell_hands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from switchhook.access.audit import Deed
    from switchhook.rules.routing import HandSetting, RoutingFacts

app = App(name="route", help="Which bots get calls: move, drain, switch off, undo.")

REASON = Annotated[str, Parameter(name="--reason", help="Why, for those who read it tomorrow.")]
FOR = Annotated[
    str | None, Parameter(name="--for", help="Ends by itself: 2h, 90m, 1d. Without it: undo.")
]
T = TypeVar("T")


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List pools and members, with who gets calls and what people set.

    Exit code 1 if a member is out or failing, a pool has nobody, or something is set by hand.
    """
    folder = data_folder(config, data)
    view = _view(folder, config)
    if json:
        for pool in view.pools:
            output.print_json(pool_json(pool))
        for hand in view.hands:
            output.print_json(hand_json(hand))
    elif view.pools or view.hands:
        print_pools(view.pools)
        print_counted(view)
        print_hands(view.hands)
    else:
        output.out.print("no bot is a pool: [bots.NAME.members.NAME] makes it one")
    members = [member for pool in view.pools for member in pool.members]
    fails = any(each.word not in ("in", each.configured_state.value) for each in members)
    return int(fails or bool(view.hands) or any(each.empty for each in view.pools))


@app.command
def show(pool: str, *, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show one pool: its members, and what streams, probe and bots tell of each.

    Parameters
    ----------
    pool
        The pool, by the name of its [bots.NAME].
    """
    folder = data_folder(config, data)
    view = _view(folder, config)
    found = view.pool(pool)
    if found is None:
        known = ", ".join(each.name for each in view.pools) or "there is none"
        raise HandError(f"there is no pool {pool}", f"known: {known}")
    if json:
        output.print_json(pool_json(found))
        return 0
    output.out.print(f"pool {found.name}{standing(found)}", style="bold")
    for member in found.members:
        output.out.print()
        output.out.print(f"{member.name}: {member.word}", style="bold")
        output.print_pairs(pairs(member, steady_now_ms(folder), acts=found.enabled), indent=2)
    print_counted(view)
    return 0


@app.command
def move(
    pool: str,
    to: str,
    *,
    reason: REASON,
    for_: FOR = None,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Move all calls of a pool to another.

    Parameters
    ----------
    pool
        The pool whose calls go.
    to
        The pool that gets them.
    """
    wanted = HandWanted(act=HandAct.MOVE, pool=pool, to=to, reason=reason, for_s=length_said(for_))
    return _set(wanted, config, data)


@app.command
def drain(
    member: str, *, reason: REASON, for_: FOR = None, config: CONFIG = None, data: DATA = None
) -> int:
    """Give a member no new calls; those that it has go on.

    Parameters
    ----------
    member
        POOL/MEMBER; the member alone where one pool has it.
    """
    return _set(_state(member, MemberState.DRAINING, reason, for_), config, data)


@app.command
def out(
    member: str, *, reason: REASON, for_: FOR = None, config: CONFIG = None, data: DATA = None
) -> int:
    """Take a member out: no calls.

    Parameters
    ----------
    member
        POOL/MEMBER; the member alone where one pool has it.
    """
    return _set(_state(member, MemberState.OUT, reason, for_), config, data)


@app.command(name="in")
def in_(
    member: str, *, reason: REASON, for_: FOR = None, config: CONFIG = None, data: DATA = None
) -> int:
    """Let a member in. Where its breaker took it out, that leaves it alone from now on.

    Parameters
    ----------
    member
        POOL/MEMBER; the member alone where one pool has it.
    """
    return _set(_state(member, MemberState.IN, reason, for_), config, data)


@app.command
def weight(
    member: str,
    weight: int,
    *,
    reason: REASON,
    for_: FOR = None,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Give a member another weight, its share against the others'.

    Parameters
    ----------
    member
        POOL/MEMBER; the member alone where one pool has it.
    weight
        0 to 1,000; with 0 it gets no calls.
    """
    wanted = HandWanted(
        act=HandAct.WEIGHT, member=member, weight=weight, reason=reason, for_s=length_said(for_)
    )
    return _set(wanted, config, data)


@app.command
def off(
    pool: str, *, reason: REASON, for_: FOR = None, config: CONFIG = None, data: DATA = None
) -> int:
    """Switch a pool off: who is sent to it gets no address (`when_off` of the endpoint).

    Parameters
    ----------
    pool
        The pool, by the name of its [bots.NAME].
    """
    wanted = HandWanted(act=HandAct.OFF, pool=pool, reason=reason, for_s=length_said(for_))
    return _set(wanted, config, data)


@app.command
def safe(
    endpoint: str, *, reason: REASON, for_: FOR = None, config: CONFIG = None, data: DATA = None
) -> int:
    """Send all callers of an endpoint to its safe option (of a voicebot endpoint: its fallback).

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    wanted = HandWanted(act=HandAct.SAFE, endpoint=endpoint, reason=reason, for_s=length_said(for_))
    return _set(wanted, config, data)


@app.command
def undo(
    id: int | None = None,
    *,
    reason: Annotated[str, Parameter(name="--reason", help="Why, for the audit log.")] = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """End a setting, the newest without an id.

    Parameters
    ----------
    id
        The setting's number, as `switchhook route list` shows it.
    """
    folder = data_folder(config, data)
    setting = _with_hands(
        folder,
        lambda hands, now_ms: hands.undo(
            lambda held: undone(id, held),
            lambda setting: _deed(*noted_undo(setting, reason)),
            now_ms,
        ),
    )
    output.out.print(f"undone ({setting.id}): {words_of(setting)}")
    return _told(folder, None, (setting.id,))


def _set(wanted: HandWanted, config: str | None, data: str | None) -> int:
    folder = data_folder(config, data)
    known, by = _known(folder, config), deed("").who
    change = _with_hands(
        folder,
        lambda hands, now_ms: hands.change(
            lambda held: change_of(wanted, known, held, by, now_ms),
            lambda change: _deed(*noted(wanted, change)),
            now_ms,
        ),
    )
    begins = change.begins
    end = "" if begins is None else f"; `switchhook route undo {begins.id}` ends it"
    until = "" if wanted.for_s is None else f" for {duration_text(wanted.for_s)}"
    output.out.print(f"{change.said}{until}{end}")
    if change.warning:
        output.err.print(f"note: {change.warning}", style="yellow")
    return _told(folder, begins, change.ends)


def _with_hands(folder: Path, act: Callable[[LedgerHands, int], T]) -> T:
    ledger = ledger_of(folder)
    try:
        return act(LedgerHands(ledger, tell_hands), steady_now_ms(folder))
    finally:
        ledger.close()


def _told(folder: Path, begins: HandSetting | None, ends: Iterable[int]) -> int:
    """Wait until the answer processes are told. Exit code 1 where they are not."""
    ended = frozenset(ends)

    def done(told: RoutingFacts) -> bool:
        ids = {each.id for each in told.hands}
        return (begins is None or begins.id in ids) and not ended & ids

    def instead() -> str | None:
        held = _with_hands(folder, lambda hands, now_ms: hands.held(now_ms))
        if begins is None or any(each.id == begins.id for each in held):
            return None
        after = next((each for each in held if seat_of(each) == seat_of(begins)), None)
        return "it is over" if after is None else f"{words_of(after)}, by {after.by}"

    return until_told(folder, done, instead)


def _deed(what: str, subject: str, details: dict[str, str]) -> Deed:
    return deed(what, subject, **details)


def _state(member: str, state: MemberState, reason: str, for_: str | None) -> HandWanted:
    return HandWanted(
        act=HandAct.STATE, member=member, state=state, reason=reason, for_s=length_said(for_)
    )


def _known(folder: Path, config: str | None) -> KnownRoutes:
    found = config_or_last(folder, config)
    pools = {each.name: each for each in found.pools}
    return KnownRoutes(pools, tuple(each.name for each in found.endpoints))


def _view(folder: Path, config: str | None) -> RoutesView:
    """How all stands as the console says, else as it is configured and set."""
    written, now_ms = read_routes(folder), steady_now_ms(folder)
    held = _with_hands(folder, lambda hands, at_ms: hands.held(at_ms))
    told = None if written is None or not written.view.fresh(now_ms) else written.view
    if told is not None and told.hands == hands_view(held):
        return told
    output.err.print("no console has looked lately: how members are is not known; is one running?")
    known = _known(folder, config)
    pools = tuple(pool_view(each, held, {}, known.pools, now_ms) for each in known.pools.values())
    return RoutesView(made_ms=now_ms, pools=pools, hands=hands_view(held))
