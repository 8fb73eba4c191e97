"""/settings/own/second-factor/passkeys: enrolling passkeys, and removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.passkeys import (
    MOST_PASSKEYS,
    Unproven,
    creation_options,
    enrolled,
    relying_party,
)
from switchhook.access.sign_in import must_enrol, name_problem
from switchhook.errors import sentence
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.challenges import Challenges
from switchhook.web.sign_in.page_support import fields, number_of, origin_of
from switchhook.web.sign_in.second_factor_page import local_session, new_codes

if TYPE_CHECKING:
    from starlette.requests import Request

    from switchhook.access.passkeys import NewPasskey
    from switchhook.access.users import Session
    from switchhook.web.sign_in.page_support import Shared

_PATH = "/settings/own/second-factor/passkeys"
_OVER = "That took too long: try it once more."
_NOT_MADE = "No passkey came of it: {why}. Try it once more."
_TAKEN = f"This passkey is enrolled already, or you have {MOST_PASSKEYS}, which is the most."


class PasskeyPages:
    """The pages; below the second factor's, so that whoever needs one first may see them."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._challenges = Challenges(shared.lookup)

    def routes(self) -> list[BaseRoute]:
        posts = {"/begin": self._begin, "": self._enrol, "/remove": self._remove}
        return [Route(_PATH + end, post, methods=["POST"]) for end, post in posts.items()]

    async def _begin(self, request: Request) -> Response:
        return await self._page(request)

    async def _enrol(self, request: Request) -> Response:
        session, form = local_session(request), await fields(request)
        name = form.get("name", "").strip()
        challenge = self._challenges.take(session.key)
        if challenge is None:
            return await self._page(request, name=name, problem=_OVER)
        wrong = name_problem(name)
        if wrong is not None:
            return await self._page(request, name=name, problem=sentence(wrong))
        said = form.get("passkey", "")
        new = await self._shared.lookup.in_thread(enrolled, said, challenge.bytes, challenge.party)
        if isinstance(new, Unproven):
            return await self._page(request, name=name, problem=_NOT_MADE.format(why=new.why))
        return await self._keep(request, session, new, name)

    async def _keep(
        self, request: Request, session: Session, new: NewPasskey, name: str
    ) -> Response:
        """Keep it; with the first factor come recovery codes."""
        shared, user, now_us = self._shared, session.user, self._shared.now_us()
        codes, kept = ([], []) if user.second_factor else new_codes()
        deed = deed_of(viewer_of(request), "enrolled a passkey", user.name, passkey=name)
        others = await shared.lookup.in_thread(shared.ledger.passes.sessions, user.id)
        add = shared.ledger.passkeys.add
        done = await shared.lookup.in_thread(
            lambda: add(user.id, new, name, kept, deed, now_us, keep=session.id)
        )
        if not done:
            return await self._page(request, name=name, problem=_TAKEN)
        shared.end_live(each.key for each in others if each.id != session.id)
        if not codes:
            return RedirectResponse("/settings", 303)
        context = {"codes": codes, "problem": ""}
        return shared.page(request, "second_factor.html", context)

    async def _remove(self, request: Request) -> Response:
        shared, session = self._shared, local_session(request)
        number, user = number_of((await fields(request)).get("id")), session.user
        passkeys = shared.ledger.passkeys
        known = await shared.lookup.in_thread(passkeys.of, user.id)
        passkey = next((each for each in known if each.id == number), None)
        if passkey is None:
            raise HTTPException(404)
        now_us = shared.now_us()
        deed = deed_of(viewer_of(request), "removed a passkey", user.name, passkey=passkey.name)
        others = await shared.lookup.in_thread(shared.ledger.passes.sessions, user.id)
        await shared.lookup.in_thread(
            lambda: passkeys.remove(user.id, passkey.id, deed, now_us, keep=session.id)
        )
        shared.end_live(each.key for each in others if each.id != session.id)
        return RedirectResponse("/settings", 303)

    async def _page(self, request: Request, *, name: str = "", problem: str = "") -> Response:
        """The page that makes one, with a new challenge; where none can be made it says why."""
        session, party = local_session(request), relying_party(origin_of(request).origin)
        options = ""
        if not party.problem:
            known = await self._shared.lookup.in_thread(
                self._shared.ledger.passkeys.of, session.user.id
            )
            challenge = self._challenges.give(session.key, party)
            options = await self._shared.lookup.in_thread(
                creation_options, party, session.user, challenge, known
            )
        context: dict[str, Any] = {
            "problem": problem,
            "passkey_problem": party.problem,
            "options": options,
            "name": name,
            "needed": must_enrol(session.user, self._shared.settings),
        }
        status = 400 if problem else 200
        return self._shared.page(request, "passkey.html", context, status=status)
