"""Everything about access in one object, for whoever wires the console."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

from switchhook.access.audit import Deed
from switchhook.access.roles import THIS_MACHINE, Role
from switchhook.access.sign_in import role_now
from switchhook.access.users import LinkKind
from switchhook.errors import LedgerError
from switchhook.web.sign_in.audit_page import AuditPages, ChainCheck
from switchhook.web.sign_in.fresh_proof import FreshProof
from switchhook.web.sign_in.link_page import LinkPages
from switchhook.web.sign_in.live_requests import LiveRequests
from switchhook.web.sign_in.local_door import LocalDoor
from switchhook.web.sign_in.login_page import LoginPages
from switchhook.web.sign_in.middleware import Access
from switchhook.web.sign_in.page_support import Shared
from switchhook.web.sign_in.passkey_page import PasskeyPages
from switchhook.web.sign_in.password_hashing import Hashing
from switchhook.web.sign_in.prover import Prover
from switchhook.web.sign_in.read_log import ReadLog
from switchhook.web.sign_in.refusals import Refusals
from switchhook.web.sign_in.request_origin import MACHINE
from switchhook.web.sign_in.second_factor_page import SecondFactorPages
from switchhook.web.sign_in.sessions import TOUCH_US, SessionLookup
from switchhook.web.sign_in.settings_page import SettingsPages
from switchhook.web.sign_in.tokens import hashed, new_proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from switchhook.access.roles import AccessSettings, Viewer
    from switchhook.access.users import AccessLedger
    from switchhook.web.render import Renderer
    from switchhook.web.sign_in.middleware import WithoutLedger

log = logging.getLogger("switchhook.access")

LOOK_S = 1.0
"""How often to look whether the sessions of what is being answered still hold."""
SWEEP_S = 3_600.0
_HOUR_US = 3_600_000_000


class ConsoleAccess:
    """`wrap` the console's app, give it the `routes`, and keep `run` running.

    `address` is where it listens, for links when `settings.url` is not set; `key` is the data
    folder's; `sections` gives what other parts show on /settings, `numbers_of` the numbers of a
    call, masked, by what they are; `without_ledger` answers where the ledger fails.
    """

    def __init__(
        self,
        ledger: AccessLedger,
        settings: AccessSettings,
        renderer: Renderer,
        *,
        key: bytes,
        address: str = "",
        sections: Callable[[Viewer], dict[str, Any]] = lambda viewer: {},
        call_named: Callable[[str], tuple[str, dict[str, str]]] = lambda name: (name, {}),
        without_ledger: WithoutLedger | None = None,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1_000,
        steady_us: Callable[[], int] = lambda: time.monotonic_ns() // 1_000,
    ) -> None:
        self._sections, self._call_named = sections, call_named
        self._ledger, self._settings = ledger, settings
        self._without_ledger = without_ledger
        self._renderer, self._now_us = renderer, now_us
        self._address = settings.url or address
        self.lookup = SessionLookup(ledger, settings, now_us, steady_us)
        self.reveals = self.lookup.reveals
        self.live = LiveRequests()
        self.door = LocalDoor(key)
        self.hashing = Hashing()
        self.prover = Prover(self.lookup, self.hashing)
        self.check = ChainCheck(ledger, now_us)

    def wrap(self, app: ASGIApp) -> Access:
        """The console behind the door; it must be the outermost."""
        return Access(
            app,
            settings=self._settings,
            lookup=self.lookup,
            live=self.live,
            refusals=Refusals(self._renderer),
            fresh=FreshProof(self.lookup, self.prover, self._renderer, self._settings.oidc),
            reads=ReadLog(self.lookup, self._now_us),
            door=self.door,
            without_ledger=self._without_ledger,
        )

    def routes(self) -> list[BaseRoute]:
        """The pages: signing in and out, /settings, /audit, reveals; and their API."""
        shared = Shared(
            lookup=self.lookup,
            live=self.live,
            hashing=self.hashing,
            prover=self.prover,
            renderer=self._renderer,
            address=self._address,
            sections=self._sections,
            call_named=self._call_named,
        )
        oidc = None
        if self._settings.oidc is not None:
            # Loaded for those who use it: its libraries would slow every start.
            from switchhook.web.sign_in.oidc import OidcClient

            oidc = OidcClient(self._settings.oidc)
        return [
            *LinkPages(shared, self.door).routes(),
            *LoginPages(shared, oidc).routes(),
            *SettingsPages(shared).routes(),
            *SecondFactorPages(shared).routes(),
            *PasskeyPages(shared).routes(),
            *AuditPages(shared, self.check).routes(),
        ]

    def welcome(self) -> str | None:
        """The way in while nobody has an account, for its owner's eyes; None once somebody has.

        It touches the disk.
        """
        if not self.nobody_yet():
            return None
        if self._settings.open(accounts=False):
            return f"open it at {self._address}{self.door.path}"
        link = self.first_link()
        return f"no account yet: make the first administrator's at {link} (once, within 15 minutes)"

    def nobody_yet(self) -> bool:
        """Whether nobody has an account. It touches the disk."""
        return not self._ledger.passes.standing(None, None).accounts

    def first_link(self) -> str | None:
        """The first administrator's one-time address; None where nobody needs one.

        The ones before are void. It touches the disk.
        """
        if self._settings.open(accounts=False) or self._ledger.users.all():
            return None
        return make_link(
            self._ledger,
            LinkKind.FIRST,
            "",
            Role.ADMINISTRATOR,
            Deed(who=THIS_MACHINE, what="made the first administrator's link", origin="start"),
            self._now_us(),
            self._address,
        )

    async def run(self) -> None:
        """End what is being answered when its session ends, and forget old sessions; for ever."""
        swept = -SWEEP_S
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
                if time.monotonic() - swept >= SWEEP_S:
                    swept = time.monotonic()
                    await self.lookup.in_thread(self._sweep)
            except LedgerError as error:
                log.warning("sessions could not be looked at: %s", error)

    async def look(self) -> None:
        """Look once: end every answer whose asker may no longer have it, or not with numbers."""
        viewers = self.live.viewers()
        if not viewers:
            return
        try:
            now = await self.lookup.in_thread(self._roles_now, sorted(viewers))
        except LedgerError:
            for key in viewers:  # nobody knows who they are now
                self.live.end(key)
            raise
        for key, then in viewers.items():
            role = now.get(key)
            if any(not self._holds(key, each, role) for each in then):
                self.live.end(key)

    def _holds(self, key: str, then: Viewer, role: Role | None) -> bool:
        """Whether who asked may have the answer still."""
        if role is None or role != then.role:
            return False
        return then.open or then.revealed <= self.reveals.of(key, role)

    def _roles_now(self, keys: list[str]) -> dict[str, Role]:
        now_us = self._now_us()
        found: dict[str, Role] = {}
        if MACHINE in keys:
            accounts = self._ledger.passes.standing(None, None).accounts
            if self._settings.open(accounts):
                found[MACHINE] = Role.ADMINISTRATOR
        for each in self._ledger.passes.living(keys):
            role = role_now(each, self._settings, now_us)
            if role is not None:
                found[each.key] = role
                if now_us - (each.used_us or 0) >= TOUCH_US:  # an open live page is a use
                    self._ledger.passes.touch(each.key, now_us)
        return found

    def _sweep(self) -> None:
        now_us = self._now_us()
        self._ledger.passes.drop_sessions(
            now_us - int(self._settings.session_hours * _HOUR_US),
            now_us - int(self._settings.idle_hours * _HOUR_US),
        )
        chain = self.check.run()
        if chain.broken_at is not None:
            log.error("the audit log does not hold: %s", chain.problem)


def make_link(
    ledger: AccessLedger,
    kind: LinkKind,
    name: str,
    role: Role,
    deed: Deed,
    now_us: int,
    address: str,
) -> str:
    """Make a one-time link of this machine and give its address, which is kept nowhere."""
    proof = new_proof()
    ledger.users.make_link(kind, name, role, None, hashed(proof), deed, now_us)
    return f"{address}/welcome/{proof}"
