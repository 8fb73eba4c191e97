"""Each account's switch for dialling, kept; whoever turns it is in the audit log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from switchhook.access.audit_ledger import append
from switchhook.callbacks import dialling as switch
from switchhook.callbacks.dialling import Dialling
from switchhook.callbacks.rows_ledger import DIALLING
from switchhook.ledger.sql import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from switchhook.access.audit import Deed
    from switchhook.ledger.database import Ledger

SWITCHHOOK = "switchhook"
"""Who does what nobody told it to."""


class LedgerDialling:
    """The switches in the ledger. Any thread, and commands beside the console. LedgerError."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def of(self, account: str) -> Dialling:
        """The switch of an account; off where nobody ever turned it on."""
        with self._ledger.reading() as connection:
            return dialling_of(connection, account)

    def all(self) -> dict[str, Dialling]:
        """The switches that were ever turned, by account."""
        with self._ledger.reading() as connection:
            return _all(connection)

    def allow(self, account: str, deed: Deed, now_ms: int) -> Dialling:
        """Let an account dial; what stopped it is over."""
        with self._ledger.writing() as connection:
            after = switch.allowed(dialling_of(connection, account), deed.who, now_ms)
            _keep(connection, after)
            append(connection, deed, now_ms * 1000)
            return after

    def stop(
        self, accounts: Sequence[str] | None, why: str, deed: Deed, now_ms: int
    ) -> list[Dialling]:
        """Stop accounts, or all where None; no request to call leaves once this has returned.

        The switches of those accounts are given back. A deed of `SWITCHHOOK` is nobody's.
        """
        by = "" if deed.who == SWITCHHOOK else deed.who
        with self._ledger.writing() as connection:
            named = [*_all(connection)] if accounts is None else accounts
            found = []
            for account in named:
                after = switch.stopped(dialling_of(connection, account), why, by, now_ms)
                _keep(connection, after)
                found.append(after)
            append(connection, deed, now_ms * 1000)
            return found

    def hold(self, account: str, until_ms: int, why: str) -> Dialling:
        """Let an account wait until then."""
        with self._ledger.writing() as connection:
            before = dialling_of(connection, account)
            after = switch.held(before, until_ms, why)
            if after != before:
                _keep(connection, after)
            return after


def dialling_of(connection: Connection, account: str) -> Dialling:
    """The switch of an account."""
    row = connection.execute(select(DIALLING).where(DIALLING.c.account == account)).first()
    return Dialling(account=account) if row is None else Dialling(**row._asdict())


def _all(connection: Connection) -> dict[str, Dialling]:
    rows = connection.execute(select(DIALLING).order_by(DIALLING.c.account))
    return {row.account: Dialling(**row._asdict()) for row in rows}


def _keep(connection: Connection, dialling: Dialling) -> None:
    put(connection, DIALLING, **msgspec.structs.asdict(dialling))
