"""What people do about promises: make and steer them, keep the do-not-call list, switch dialling.

Page, API and commands all go through here, so that each of these is checked alike and is in the
audit log, by whom and why, in the transaction that does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.access.audit import deed_of
from switchhook.callbacks.acts import DEEDS, EVENTS, PromiseAct, counted_acts, why_of
from switchhook.callbacks.calling_hours import times_of
from switchhook.callbacks.dialling import NO_REASON
from switchhook.callbacks.filters import PromiseFilter, words
from switchhook.callbacks.numbers import HOW_WRITTEN, UndialableNumber, dialable
from switchhook.callbacks.promise import LONGEST_REASON, Promise, PromiseOrigin, PromiseState
from switchhook.callbacks.refusals import Refusal
from switchhook.errors import LedgerError, PromiseError
from switchhook.exotel.fields import Unusable, e164
from switchhook.exotel.phone_numbers import masked
from switchhook.rules.outcome import ORDINARY, class_complaint

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from switchhook.access.audit import Deed
    from switchhook.access.roles import Viewer
    from switchhook.callbacks.dialling import Dialling
    from switchhook.callbacks.lists_ledger import LeftOut
    from switchhook.callbacks.queries import PromiseLedgers
    from switchhook.callbacks.view import CallingAccount

_REGION = "IN"
"""In which a number without a country's code is read where no account is named."""


class PromiseWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A promise that somebody wants to make by hand; `number` in any spelling."""

    account: str
    number: str
    reason: str
    class_: str = ""


class Did(msgspec.Struct, frozen=True):
    """How many promises an act met, to how many it did something, and those named it left out."""

    matched: int
    changed: int
    left_out: tuple[LeftOut, ...] = ()


class Steering:
    """See above. Any thread. Raises PromiseError, which says what to do instead, and LedgerError.

    `accounts` are those that call back, by name; `own` gives the numbers that are ours; `token` a
    name for a new promise, which nobody can guess; `wake` has whoever dials look anew, `halt` has
    them stop where the ledger can't keep that they have to.
    """

    def __init__(
        self,
        ledgers: PromiseLedgers,
        *,
        accounts: Callable[[], Mapping[str, CallingAccount]],
        own: Callable[[], Collection[str]],
        now_ms: Callable[[], int],
        token: Callable[[], str],
        wake: Callable[[], object] = lambda: None,
        halt: Callable[[str | None, str, Deed], None] | None = None,
    ) -> None:
        self._promises, self._lists = ledgers.promises, ledgers.lists
        self._dialling, self._do_not_call = ledgers.dialling, ledgers.do_not_call
        self._accounts, self._own = accounts, own
        self._now_ms, self._token, self._wake, self._halt = now_ms, token, wake, halt

    def make(self, viewer: Viewer, wanted: PromiseWanted) -> Promise:
        """Promise somebody a callback; it is open at once: who makes it answers for it."""
        account = self._account(wanted.account)
        number = self._dialable(wanted.number, account.region)
        reason, now_ms = _reason(wanted.reason), self._now_ms()
        due_ms, until_ms = times_of(account.settings, number, now_ms)
        promise = Promise(
            token=self._token(),
            account=account.name,
            number=number,
            class_=_class(wanted.class_, account),
            reason=reason,
            origin=PromiseOrigin.HAND,
            made_by=viewer.name,
            made_ms=now_ms,
            due_ms=due_ms,
            until_ms=until_ms,
            state=PromiseState.OPEN,
            since_ms=now_ms,
        )
        deed = deed_of(viewer, "promised a callback", account.name, reason=reason)
        made = self._promises.make(promise, deed)
        self._wake()
        if isinstance(made, Refusal):
            raise PromiseError(made.why, "see the list of promises and of numbers not to call")
        return made

    def act(self, viewer: Viewer, act: PromiseAct, where: PromiseFilter, reason: str) -> Did:
        """Do it to all that a filter finds and to which it does something."""
        why, now_ms = why_of(reason), self._now_ms()
        retries = act is PromiseAct.RETRY
        done = self._lists.act(
            where,
            EVENTS[act],
            now_ms,
            lambda changed: deed_of(
                viewer, DEEDS[act], words(where), reason=why, promises=str(changed)
            ),
            why=why,
            until_ms=(lambda promise: self._until(promise, now_ms)) if retries else None,
            due_ms=now_ms if retries else None,
            by=viewer.name,
        )
        self._wake()
        return Did(done.matched, done.changed, done.left_out)

    def count(self, act: PromiseAct, where: PromiseFilter) -> Did:
        """What the act would meet, and to how many it would do something."""
        states = self._lists.counts_of(where)
        left_out = self._lists.left_out(where, EVENTS[act])
        changed = counted_acts(states).get(act, 0)
        if where.ids:
            changed = len(dict.fromkeys(where.ids)) - len(left_out)
        return Did(sum(states.values()), changed, left_out)

    def _until(self, promise: Promise, now_ms: int) -> int:
        """The time of one that is dialled anew: a whole one."""
        account = self._accounts().get(promise.account)
        if account is None:
            return max(promise.until_ms, now_ms)
        return times_of(account.settings, promise.number, now_ms)[1]

    def allow(self, viewer: Viewer, name: str, reason: str) -> None:
        """Have an account dial, from now on and without further asking."""
        account, why = self._account(name), why_of(reason)
        deed = deed_of(viewer, "allowed dialling", account.name, reason=why)
        self._dialling.allow(account.name, deed, self._now_ms())
        self._wake()

    def stop(self, viewer: Viewer, name: str | None, reason: str) -> list[Dialling]:
        """Stop an account's dialling, or all of it, at once; calls that ring go on.

        It needs no reason: whoever stops it is in a hurry. The switches as they are then.
        """
        if name is not None and name not in self._dialling.all():
            self._account(name)
        why = why_of(reason) if reason.strip() else NO_REASON
        deed = deed_of(viewer, "stopped dialling", name or "all accounts", reason=why)
        try:
            accounts = None if name is None else [name]
            return self._dialling.stop(accounts, why, deed, self._now_ms())
        except LedgerError as error:
            if self._halt is None:
                raise
            self._halt(name, why, deed)
            problem = f"dialling is stopped, but a restart would forget it: {error}"
            raise PromiseError(
                problem, "mend the ledger; it is kept as soon as it can be"
            ) from None

    def forbid(self, viewer: Viewer, number: str, reason: str) -> bool:
        """Put a number on the do-not-call list, and drop its promises; whether it is new there."""
        why, found = why_of(reason), self._readable(number)
        deed = deed_of(viewer, "put a number on the do-not-call list", str(masked(found)), why=why)
        return self._do_not_call.add(found, why, deed, self._now_ms()) is not None

    def permit(self, viewer: Viewer, number: str, reason: str) -> bool:
        """Take a number off it; whether it was there. One of the file stays until the file says."""
        why, found = why_of(reason), self._readable(number)
        deed = deed_of(
            viewer, "took a number off the do-not-call list", str(masked(found)), why=why
        )
        return self._do_not_call.remove(found, deed, self._now_ms())

    # What is refused.

    def _account(self, name: str) -> CallingAccount:
        accounts = self._accounts()
        if name in accounts:
            return accounts[name]
        known = ", ".join(sorted(accounts))
        hint = f"those that do: {known}" if known else "[accounts.NAME.callbacks] configures it"
        raise PromiseError(f"no account {name[:64]!r} calls back", hint)

    def _dialable(self, text: str, region: str) -> str:
        number = dialable(text.strip(), region, self._own())
        if isinstance(number, UndialableNumber):
            raise PromiseError(number.problem, f"the number of a person, {HOW_WRITTEN}")
        return number

    def _readable(self, text: str) -> str:
        """A number that is to be left alone, dialable or not."""
        number = e164(text.strip(), _REGION)
        if number is None or isinstance(number, Unusable):
            raise PromiseError("it is no whole telephone number", HOW_WRITTEN)
        return number


def _reason(said: str) -> str:
    reason = why_of(said)
    if len(reason) > LONGEST_REASON or not reason.isprintable():
        problem = "its reason is too long, or has signs that can't be shown"
        raise PromiseError(problem, f"one line of at most {LONGEST_REASON} characters")
    return reason


def _class(said: str, account: CallingAccount) -> str:
    """As a rule may name one: of another kind no weight could be configured."""
    name = said or ORDINARY
    if (wrong := class_complaint(name)) is not None:
        problem, hint = wrong
        known = ", ".join(sorted({ORDINARY, *account.settings.classes}))
        raise PromiseError(problem, f"{hint}; account {account.name} has: {known}")
    return name
