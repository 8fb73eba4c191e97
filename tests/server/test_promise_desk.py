"""What people see of promises and do about them, as the configuration says."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from callbacks.some_promises import HOUR, T
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.acts import PromiseAct
from switchhook.callbacks.filters import PromiseFilter
from switchhook.callbacks.promise import TOKEN_BYTES
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.steering import PromiseWanted
from switchhook.capacity.status import CapacityNow
from switchhook.config import Config
from switchhook.config.accounts import AccountConfig
from switchhook.errors import LedgerError
from switchhook.server.promise_desk import PromiseDesk
from switchhook.server.tables import open_ledger

EXOPHONE = "+918047112233"
CALLING = AccountConfig(
    name="main", sid="acme1", callbacks=CallbackSettings(exophone=EXOPHONE, flow="4711")
)
QUIET = AccountConfig(name="quiet", sid="acme2")
ASHA = Viewer("asha", Role.OPERATOR)


class Desk:
    def __init__(self, folder):
        self.config = Config(accounts=(QUIET, CALLING))
        self.now = [CapacityNow("main", 3, 20, 17, 1.0)]
        self.ledger = open_ledger(folder / "ledger")
        accounts: Any = SimpleNamespace(watch=SimpleNamespace(now=lambda _now_ms: self.now))
        self.now_ms = T
        clock: Any = SimpleNamespace(now_ms=lambda: self.now_ms)
        self.woken = 0
        worker: Any = SimpleNamespace(
            wake=self.wake, waits=lambda: {"main": "no stream is free"}, halt=None
        )
        self.desk = PromiseDesk(self.ledger, lambda: self.config, accounts, clock, worker)

    def wake(self):
        self.woken += 1

    def make(self, number):
        wanted = PromiseWanted(account="main", number=number, reason="asked")
        return self.desk.steering.make(ASHA, wanted)


def unreadable():
    raise LedgerError("ledger.sqlite", "it is damaged", "restore it")


@pytest.fixture
def here(tmp_path):
    found = Desk(tmp_path)
    yield found
    found.ledger.close()


def test_only_accounts_that_call_back_are_shown_with_their_streams(here):
    (account,) = here.desk.queries.view().accounts
    assert (account.name, account.settings.flow) == ("main", "4711")
    assert (account.pace.allowed, account.pace.mean_s) == (20, None)


def test_an_account_that_nobody_watches_has_a_pace_that_is_not_known(here):
    here.now = []
    (account,) = here.desk.queries.view().accounts
    assert account.pace.calls_a_minute is None


def test_each_promise_has_a_name_that_nobody_can_guess(here):
    tokens = {here.make(f"+9198765000{at:02}").token for at in range(20)}
    assert len(tokens) == 20
    assert {len(each) for each in tokens} == {TOKEN_BYTES}


def test_whoever_dials_looks_anew_at_what_people_did(here):
    made = here.make("+919876500001")
    assert here.woken == 1
    here.desk.steering.allow(ASHA, "main", "ticket 42")
    assert here.woken == 2
    act = PromiseFilter(ids=(made.id,))
    here.desk.steering.act(ASHA, PromiseAct.CANCEL, act, "asked")
    assert here.woken == 3


def test_why_nobody_is_called_is_told_while_somebody_is_due(here):
    (account,) = here.desk.queries.view().accounts
    assert account.waits == ""
    here.make("+919876500001")
    here.now_ms += 6 * HOUR
    (account,) = here.desk.queries.view().accounts
    assert account.waits == "no stream is free"


def test_what_moves_is_news(here):
    before = here.desk.news()
    assert here.desk.news() == before
    here.make("+919876500001")
    assert here.desk.news() != before


def test_now_has_its_figures_where_an_account_calls_back_and_the_ledger_can_be_read(
    here, monkeypatch
):
    here.make("+919876500001")
    glance = here.desk.glance()
    assert glance is not None
    assert (glance.waiting, glance.in_time, glance.dials) == (1, None, False)
    monkeypatch.setattr(here.desk.queries, "moved", unreadable)
    assert here.desk.glance() is None
    assert here.desk.news() == "ledger ledger.sqlite: it is damaged (restore it)"


def test_a_console_where_nobody_calls_back_has_none(here):
    here.config = Config()
    assert here.desk.glance() is None
