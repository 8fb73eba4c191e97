"""`switchhook promises`: callbacks that are owed to callers, and steering them."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from switchhook.callbacks.acts import why_of
from switchhook.callbacks.filters import LIVE
from switchhook.callbacks.json import do_not_call_json, promise_json, refusal_json, story_json
from switchhook.callbacks.parameters import MOST
from switchhook.callbacks.promise import PromiseState
from switchhook.callbacks.steering import PromiseWanted
from switchhook.cli import output
from switchhook.cli.data import console_runs
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.promises_acts import cancel, expire, pause, resume, retry
from switchhook.cli.promises_parts import (
    EVERY,
    REASON,
    OpenPromises,
    Which,
    accounts_of,
    among,
    by,
    filter_of,
    opened,
)
from switchhook.cli.promises_shown import (
    dialling_words,
    moment,
    print_do_not_call,
    print_promises,
    print_refusals,
    print_story,
)
from switchhook.cli.reads import noted
from switchhook.errors import PromiseError
from switchhook.exotel.phone_numbers import masked
from switchhook.rules.outcome import ORDINARY
from switchhook.web.masking import mask_json

app = App(name="promises", help="Callbacks that are owed to callers: list, make, steer, dial.")

for each in (cancel, pause, resume, retry, expire):
    app.command(each)

LIMIT = Annotated[
    int,
    Parameter(validator=Number(gte=1, lte=MOST), help=f"How many at most, 1 to {MOST}."),
]


@app.command(name="list")
def list_(
    *,
    which: Which = EVERY,
    limit: LIMIT = 50,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List promises, the newest first: those that are not over, unless states are asked for.

    Exit code 1 if some wait and nobody may be dialled.
    """
    with opened(config, data, to_look=True) as at:
        wanted = at.meant(which)
        states = wanted.states or LIVE
        found = at.lists.find(among(wanted, states), limit)
        if json:
            whole = noted(at.folder, "promises list")
            for each in found:
                shown = promise_json(each)
                output.print_json(shown if whole else mask_json(shown))
        elif found:
            print_promises(found)
        else:
            output.out.print("there is no promise like that" if which != EVERY else "none is open")
        return _say_dialling(at)


@app.command
def show(id: int, *, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Show one promise: how it stands, what happened to it, and its calls.

    Parameters
    ----------
    id
        Its number, as `switchhook promises list` shows it.
    """
    with opened(config, data, to_look=True) as at:
        promise = at.ledgers.promises.get(id)
        if promise is None:
            raise PromiseError(f"there is no promise {id}", "see: switchhook promises list")
        steps, attempts = at.lists.history(id), at.lists.attempts(id)
        whole = noted(at.folder, "promises show", promise=str(id))
        if json:
            shown = story_json(promise, steps, attempts)
            output.print_json(shown if whole else mask_json(shown))
        else:
            print_story(promise, steps, attempts, whole=whole)
        return 0


@app.command
def make(
    number: Annotated[str, Parameter(allow_leading_hyphen=True)],
    *,
    reason: REASON,
    account: Annotated[
        str | None, Parameter(name="--account", help="Who calls; needed where several do.")
    ] = None,
    class_: Annotated[
        str, Parameter(name="--class", help="What it is of, for its turn.")
    ] = ORDINARY,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Promise somebody a callback.

    Parameters
    ----------
    number
        Whom to call; - reads it from standard input, so that it stands in no history of commands.
    """
    said = sys.stdin.readline() if number == "-" else number
    with opened(config, data) as at:
        name = account or _only_account(at)
        wanted = PromiseWanted(account=name, number=said, reason=reason, class_=class_)
        made = at.steering.make(by(), wanted)
        output.out.print(
            f"promise {made.id}: {masked(made.number)} is called back from {moment(made.due_ms)}"
            f" on, until {moment(made.until_ms)}"
        )
        why = at.ledgers.dialling.of(name).why_not(at.now_ms())
        if why:
            _note(f"not yet: {why}")
        elif not console_runs(at.folder):
            _note("not yet: no console runs, and nobody else dials")
        return 0


@app.command
def refused(
    *,
    limit: LIMIT = 50,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """List callers who should have been promised a callback and could not be, newest first."""
    with opened(config, data, to_look=True) as at:
        found = at.lists.refusals(limit)
        if json:
            whole = noted(at.folder, "promises refused")
            for each in found:
                shown = refusal_json(each)
                output.print_json(shown if whole else mask_json(shown))
        elif found:
            print_refusals(found)
        else:
            output.out.print("nobody was refused a promise")
        return 0


@app.command(name="do-not-call")
def do_not_call(
    number: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    remove: Annotated[
        bool, Parameter(name="--remove", negative="", help="Take it off the list.")
    ] = False,
    reason: REASON = "",
    limit: LIMIT = 50,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Put a number on the do-not-call list, which cancels its promises; or list the list.

    Exit code 1 if nothing changed.

    Parameters
    ----------
    number
        The number; - reads it from standard input. Without one the list is shown.
    """
    with opened(config, data) as at:
        if number is None:
            return _list_do_not_call(at, limit, json=json)
        said = sys.stdin.readline() if number == "-" else number
        if remove:
            done = at.steering.permit(by(), said, reason)
            output.out.print("it may be called again" if done else "it was not on the list")
        else:
            done = at.steering.forbid(by(), said, reason)
            output.out.print("it is not called any more" if done else "it was on the list already")
        return int(not done)


@app.command(name="allow-dialling")
def allow_dialling(
    account: str, *, reason: REASON, config: CONFIG = None, data: DATA = None
) -> int:
    """Let an account call people back, from now on.

    Parameters
    ----------
    account
        The account, by the name of its [accounts.NAME].
    """
    with opened(config, data) as at:
        at.steering.allow(by(), account, reason)
        waiting = at.lists.count(filter_of(Which(account=account, state="open"), at.now_ms()))
        promises = "1 promise waits" if waiting == 1 else f"{waiting:,} promises wait"
        output.out.print(
            f"account {account} may dial: {promises};"
            f" `switchhook promises stop-dialling {account}` stops it"
        )
        if not console_runs(at.folder):
            _note("not yet: no console runs, and nobody else dials")
            return 1
        return 0


@app.command(name="stop-dialling")
def stop_dialling(
    account: str | None = None,
    *,
    reason: REASON = "",
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Stop calling people back, at once: no request leaves any more. Calls that ring go on.

    Parameters
    ----------
    account
        One account, by the name of its [accounts.NAME]; without it all.
    """
    with opened(config, data) as at:
        stopped = at.steering.stop(by(), account, reason)
        output.out.print(
            "nobody is dialled any more"
            if account is None
            else f"account {account} dials nobody any more"
        )
        for each in stopped:
            if reason.strip() and each.stopped != why_of(reason):
                before = f"account {each.account} was stopped before, and that is to be mended"
                _note(f"{before}: {each.stopped}")
        ringing = at.lists.count(among(filter_of(EVERY, 0), (PromiseState.RINGING,)))
        if ringing:
            calls = "1 call rings or talks, and goes on" if ringing == 1 else ""
            _note(calls or f"{ringing:,} calls ring or talk, and go on")
        return 0


def _only_account(at: OpenPromises) -> str:
    known = list(accounts_of(at.config))
    if len(known) == 1:
        return known[0]
    hint = f"--account {' or '.join(known)}" if known else "[accounts.NAME.callbacks] has one do it"
    raise PromiseError(
        "which account calls is not said" if known else "no account calls back", hint
    )


def _list_do_not_call(at: OpenPromises, limit: int, *, json: bool) -> int:
    found = at.ledgers.do_not_call.entries(limit)
    if json:
        whole = noted(at.folder, "promises do-not-call")
        for each in found:
            shown = do_not_call_json(each)
            output.print_json(shown if whole else mask_json(shown))
        return 0
    if not found:
        output.out.print("every number may be called")
        return 0
    print_do_not_call(found)
    more = at.ledgers.do_not_call.count() - len(found)
    if more > 0:
        output.out.print(f"and {more:,} more")
    return 0


def _say_dialling(at: OpenPromises) -> int:
    """Say of accounts that may not dial why. Exit code 1 where promises wait for it."""
    now_ms, fails = at.now_ms(), False
    for name in accounts_of(at.config):
        dialling = at.ledgers.dialling.of(name)
        if not dialling.why_not(now_ms):
            continue
        waiting = at.lists.count(filter_of(Which(account=name, state="open"), now_ms), 1)
        fails = fails or bool(waiting)
        output.err.print(output.plain(dialling_words(dialling, now_ms)))
    return int(fails)


def _note(text: str) -> None:
    output.err.print(f"note: {output.plain(text)}", style="yellow")
