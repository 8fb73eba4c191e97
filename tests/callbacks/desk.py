"""Promises in every state, and what people look at and steer them with, in tests."""

from __future__ import annotations

import html
import itertools
import re
from functools import cached_property

from asgi_client import Client
from callbacks.some_promises import HOUR, T, deed, number, promise
from switchhook.access.roles import Role, Viewer
from switchhook.callbacks.api import PromisesApi
from switchhook.callbacks.attempts import AttemptChange
from switchhook.callbacks.page import PromisesPage
from switchhook.callbacks.promise import (
    AttemptState,
    CallOutcome,
    Promise,
    PromiseEvent,
    PromiseState,
)
from switchhook.callbacks.queries import PromiseLedgers, PromiseQueries
from switchhook.callbacks.refusals import Refusal, RefusalCode
from switchhook.callbacks.settings import CallbackSettings
from switchhook.callbacks.steering import Steering
from switchhook.callbacks.view import CallingAccount, Streams
from switchhook.server.tables import open_ledger
from switchhook.web.app import Pages, create_app
from switchhook.web.render import Renderer

E = PromiseEvent
EXOPHONE = "+918047112233"
SETTINGS = CallbackSettings(exophone=EXOPHONE, flow="4711", delay_s=60)
CALL = "4cf6b74c24af2bd4cd2e1b8b5a9d17bl"


class Desk:
    """An account that calls back, its promises, and whoever looks, at `now`."""

    def __init__(self, folder, account="main", now=T):
        self.account = account
        self.ledger = open_ledger(folder / "ledger")
        self.now = now
        self.viewer = Viewer("asha", Role.ADMINISTRATOR, origin="10.0.0.1")
        self.noted = []
        self.accounts = {account: CallingAccount(account, SETTINGS)}
        self.streams = Streams(20, 90.0)
        tokens = itertools.count(1)
        ledgers = PromiseLedgers(self.ledger)
        self.promises, self.lists = ledgers.promises, ledgers.lists
        self.dialling, self.do_not_call = ledgers.dialling, ledgers.do_not_call
        self.queries = PromiseQueries(
            ledgers,
            accounts=lambda: self.accounts,
            streams=lambda _account: self.streams,
            now_ms=lambda: self.now,
        )
        self.steering = Steering(
            ledgers,
            accounts=lambda: self.accounts,
            own=lambda: {EXOPHONE},
            now_ms=lambda: self.now,
            token=lambda: "token" + "abcdefghij"[next(tokens) % 10] * 15,
            halt=lambda account, why, of: self.halted.append((account, why, of.who)),
        )
        self.halted = []

    # Promises in each state.

    def add(self, at: int = 1, **said) -> Promise:
        """An open promise to the test number of that index."""
        made = self.promises.make(self._promise(at, **said))
        assert isinstance(made, Promise)
        return made

    def _promise(self, at, **said):
        usual = {"number": number(at), "account": self.account, "made_ms": self.now}
        return promise(**usual | said)

    def allow(self):
        self.dialling.allow(self.account, deed("allowed dialling"), self.now)

    def dial(self, of: Promise) -> Promise:
        """The promise with a call being asked for."""
        claimed = self.promises.claim(
            of.id, of.attempts + 1, EXOPHONE, self.now, lambda _situation: None, price=1.0
        )
        assert claimed.promise is not None
        return claimed.promise

    def settle(self, of: Promise, event: PromiseEvent, why: str = "", **change) -> Promise:
        found = self.promises.settle(
            of.id,
            event,
            self.now,
            why=why,
            attempt=of.attempts,
            change=AttemptChange(**change) if change else None,
        )
        assert found is not None
        return found

    def keep(self, of: Promise, after_ms: int = 0) -> Promise:
        """The promise kept by a call that was asked for then."""
        self.now += after_ms
        ringing = self.settle(
            self.dial(of), E.PLACED, state=AttemptState.PLACED, call_sid=CALL[:-2] + "zz"
        )
        return self.settle(
            ringing,
            E.TALKED,
            "they talked for 40 s",
            state=AttemptState.TALKED,
            outcome=CallOutcome.TALKED,
            talk_s=40,
            price=0.6,
            done_ms=self.now,
        )

    def fill(self) -> dict[PromiseState, Promise]:
        """One in each state."""
        self.allow()
        several = {state: self.add(at) for at, state in enumerate(PromiseState, 1)}
        found = dict(several)
        S = PromiseState  # noqa: N806
        found[S.UNPROVEN] = self.add(50, state=S.UNPROVEN)
        self.promises.settle(several[S.UNPROVEN].id, E.EXPIRED, self.now)
        for state, event in ((S.PAUSED, E.PAUSED), (S.DROPPED, E.SERVED), (S.BROKEN, E.EXHAUSTED)):
            found[state] = self.settle(several[state], event)
        found[S.DIALLING] = self.dial(several[S.DIALLING])
        found[S.UNKNOWN] = self.settle(
            self.dial(several[S.UNKNOWN]), E.AMBIGUOUS, "no answer in 35 s"
        )
        found[S.RINGING] = self.settle(
            self.dial(several[S.RINGING]), E.PLACED, state=AttemptState.PLACED, call_sid=CALL
        )
        found[S.KEPT] = self.keep(several[S.KEPT], 90_000)
        self.lists_refusal()
        return found

    def lists_refusal(self):
        self.promises.refuse(
            Refusal(
                at_ms=self.now,
                account=self.account,
                number=number(60),
                reason="throttled",
                endpoint="sales",
                call_sid=CALL,
                receipt="1-1",
                code=RefusalCode.DO_NOT_CALL,
                why="the number is on the do-not-call list",
            )
        )

    # Whoever looks.

    @cached_property
    def client(self):
        renderer = Renderer(now_us=lambda: self.now * 1000)
        parts: list[Pages] = [
            PromisesApi(self.queries, self.steering, self.noted.append),
            PromisesPage(renderer, self.queries, self.steering, self.noted.append),
        ]
        inner = create_app(parts)

        async def app(scope, receive, send):
            scope["viewer"], scope["csrf"] = self.viewer, "proof"
            await inner(scope, receive, send)

        self.app = app
        return Client(app, base_url="http://127.0.0.1", follow_redirects=False)

    def get(self, path="", **query):
        return self.client.get(f"/api/v1/promises{path}", params=query)

    def post(self, path="", **body):
        return self.client.post(f"/api/v1/promises{path}", json=body)

    def page(self, path="", **query):
        found = self.client.get(f"/promises{path}", params=query)
        assert found.status_code == 200, found.text
        return found.text

    def words(self, path="", **query):
        """What one reads."""
        return words_of(self.page(path, **query))

    def press(self, path, **form):
        """A press, and what the page it leads to says."""
        answer = self.client.post(f"/promises/{path}", data=form)
        assert answer.status_code == 303, answer.text
        return words_of(self.client.get(answer.headers["location"]).text)

    def close(self):
        self.ledger.close()


def words_of(page):
    inline = re.sub("</?(bdi|span|a|strong|time)[^>]*>", "", page)
    return " ".join(html.unescape(re.sub("<[^>]+>", " ", inline)).split())


__all__ = [
    "CALL",
    "EXOPHONE",
    "HOUR",
    "SETTINGS",
    "Desk",
    "T",
    "deed",
    "number",
    "promise",
    "words_of",
]
