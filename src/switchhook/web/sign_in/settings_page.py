"""/settings: one's own password, sessions and tokens; for administrators users, roles and links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from switchhook.access.audit import deed_of
from switchhook.access.passkeys import relying_party
from switchhook.access.password_policy import SHORTEST_PASSWORD, password_problem
from switchhook.access.roles import Role, Scope
from switchhook.access.sign_in import link_problem, name_problem
from switchhook.access.users import LinkKind, Session, User
from switchhook.errors import sentence
from switchhook.web.render import viewer_of
from switchhook.web.sign_in.page_support import fields, number_of, origin_of, require, session_of
from switchhook.web.sign_in.password_hashing import TooBusy
from switchhook.web.sign_in.prover import TriesOver
from switchhook.web.sign_in.tokens import TOKEN_PREFIX, hashed, new_proof

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from switchhook.web.sign_in.page_support import Shared

LONGEST_DAYS = 365
_DAY_US = 86_400_000_000
_NOT_TYPED = "The name was not typed as it is: nobody was deleted."
_LAST = "Somebody has to stay who can sign in as an administrator."


class SettingsPages:
    """The page, and what its forms do. `/settings/own/` is what a viewer may change too."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared

    def routes(self) -> list[BaseRoute]:
        posts = {
            "/settings/own/password": self._password,
            "/settings/own/sessions": self._end_session,
            "/settings/own/tokens": self._make_token,
            "/settings/own/tokens/revoke": self._revoke_token,
            "/settings/users": self._invite,
            "/settings/users/role": self._set_role,
            "/settings/users/disabled": self._set_disabled,
            "/settings/users/link": self._reset_link,
            "/settings/users/delete": self._delete,
            "/settings/users/second-factor": self._reset_second_factor,
            "/settings/links/void": self._void_link,
        }
        return [
            Route("/settings", self._show, methods=["GET"]),
            *(Route(path, post, methods=["POST"]) for path, post in posts.items()),
        ]

    async def _show(self, request: Request) -> Response:
        return await self._page(request)

    async def _page(
        self,
        request: Request,
        *,
        problem: str = "",
        done: str = "",
        once: dict[str, str] | None = None,
    ) -> Response:
        """The page after something was done; `once` is what is shown this once only."""
        context = await self._shared.lookup.in_thread(self._context, request)
        context |= {"problem": problem, "done": done, "once": once}
        return self._shared.page(request, "settings.html", context, status=400 if problem else 200)

    def _context(self, request: Request) -> dict[str, Any]:
        viewer, session = viewer_of(request), session_of(request)
        ledger, now_us = self._shared.ledger, self._shared.now_us()
        settings = self._shared.settings
        rules_all = viewer.may(Role.ADMINISTRATOR)
        own = None if session is None else session.user
        factor = None if own is None else ledger.second_factors.of(own.id)
        tokens = ledger.passes.tokens(None if rules_all or own is None else own.id)
        return self._shared.sections(viewer) | {
            "user": own,
            "factor": factor,
            "passkeys": [] if own is None else ledger.passkeys.of(own.id),
            "passkey_problem": relying_party(origin_of(request).origin).problem,
            "codes_left": 0 if own is None else ledger.second_factors.codes_left(own.id),
            "now_us": now_us,
            "shortest": SHORTEST_PASSWORD,
            "sessions": [] if own is None else ledger.passes.sessions(own.id),
            "this_session": None if session is None else session.id,
            "browser_of": browser_of,
            "tokens": [token for token in tokens if token.works(now_us)],
            "administers": rules_all,
            "users": ledger.users.all() if rules_all else [],
            "links": ledger.users.links(now_us) if rules_all else [],
            "roles": list(Role),
            "scopes": [scope for scope in Scope if scope.role <= viewer.role],
            "configured": {
                "Address": settings.url or self._shared.address or "as it listens",
                "Accounts": "needed from the start" if settings.users else "once somebody has one",
                "Sessions last": f"{settings.session_hours:g} h, unused {settings.idle_hours:g} h",
                "Trusted proxies": ", ".join(map(str, settings.trusted_proxies)) or "none",
                "Second factor": "as one likes"
                if settings.second_factor is None
                else f"needed from {settings.second_factor.word} on",
                "OpenID Connect": "no" if settings.oidc is None else settings.oidc.issuer,
            },
        }

    # One's own.

    async def _password(self, request: Request) -> Response:
        shared, form, session = self._shared, await fields(request), _session(request)
        user = session.user
        if user.password_hash is None:
            return await self._page(request, problem="You sign in by OpenID Connect.")
        password = form.get("password", "")
        request_origin = origin_of(request)
        problem = password_problem(password, user.name, (request_origin.host,))
        if problem is None and password != form.get("again"):
            problem = "the two passwords differ"
        if problem is not None:
            return await self._page(request, problem=sentence(problem))
        try:
            if (
                await shared.prover.password(user.name, form.get("current", ""), request_origin)
                is None
            ):
                return await self._page(request, problem="That is not your password as it is.")
            kept = await shared.hashing.hash(password)
        except TriesOver as over:
            return await self._page(request, problem=over.sentence)
        except TooBusy:
            return await self._page(request, problem="Too many sign in just now: try again.")
        theirs = await shared.passes_of(user)
        deed = deed_of(viewer_of(request), "changed their password", user.name)
        await shared.lookup.in_thread(
            lambda: shared.ledger.users.set_password(
                user.id, kept, deed, shared.now_us(), keep=session.id
            )
        )
        shared.end_live(key for key in theirs if key != session.key)
        done = "Your password is changed; your other sessions and your tokens ended."
        return await self._page(request, done=done)

    async def _end_session(self, request: Request) -> Response:
        shared, form, session = self._shared, await fields(request), _session(request)
        theirs = await shared.lookup.in_thread(shared.ledger.passes.sessions, session.user.id)
        wanted = None if form.get("id") == "others" else number_of(form.get("id"))
        for each in theirs:
            if each.id == wanted or (wanted is None and each.id != session.id):
                deed = deed_of(viewer_of(request), "ended a session", each.user.name)
                await shared.end_session(each, deed)
        return RedirectResponse("/login" if wanted == session.id else "/settings", 303)

    async def _make_token(self, request: Request) -> Response:
        shared, form, session = self._shared, await fields(request), _session(request)
        viewer = viewer_of(request)
        name, said = form.get("name", "").strip(), form.get("scope", "")
        days = number_of(form.get("days"))
        problem = name_problem(name)
        if problem is None and not 1 <= days <= LONGEST_DAYS:
            problem = f"a token lasts 1 to {LONGEST_DAYS} days"
        if said not in set(Scope) or Scope(said).role > viewer.role:
            problem = problem or "a token can do no more than you"
        if problem is not None:
            return await self._page(request, problem=sentence(problem))
        scope, proof, now_us = Scope(said), new_proof(TOKEN_PREFIX), shared.now_us()
        deed = deed_of(viewer, "made a token", name, scope=scope.value, days=str(days))
        await shared.lookup.in_thread(
            shared.ledger.passes.make_token,
            name,
            scope,
            session.user.id,
            hashed(proof),
            now_us + days * _DAY_US,
            deed,
            now_us,
        )
        return await self._page(request, once={"Token": proof})

    async def _revoke_token(self, request: Request) -> Response:
        shared, form, viewer = self._shared, await fields(request), viewer_of(request)
        number = number_of(form.get("id"))
        session = session_of(request)
        mine = None if viewer.may(Role.ADMINISTRATOR) or session is None else session.user.id
        tokens = await shared.lookup.in_thread(shared.ledger.passes.tokens, mine)
        token = next((each for each in tokens if each.id == number), None)
        if token is None:
            raise HTTPException(404)
        deed = deed_of(viewer, "revoked a token", token.name)
        await shared.lookup.in_thread(
            shared.ledger.passes.revoke_token, token.id, deed, shared.now_us()
        )
        shared.live.end(token.key)
        return RedirectResponse("/settings", 303)

    # Administrators'.

    async def _invite(self, request: Request) -> Response:
        """A link with which somebody becomes a user: it is all that an administrator passes on."""
        viewer, form = require(request, Role.ADMINISTRATOR), await fields(request)
        name, role = form.get("name", "").strip(), Role.of(form.get("role", ""))
        problem = name_problem(name) or (None if role else "no such role")
        ledger = self._shared.ledger
        if problem is None:
            taken = await self._shared.lookup.in_thread(ledger.users.named, name)
            problem = "this name is taken" if taken else None
        if viewer.open and role is not Role.ADMINISTRATOR:
            problem = problem or "the first account is an administrator's"
        if problem is not None or role is None:
            return await self._page(request, problem=sentence(problem or "no such role"))
        address = await self._shared.make_link(
            request, LinkKind.INVITE, name, role, "invited a user"
        )
        return await self._page(request, once={f"Link for {name}": address})

    async def _set_role(self, request: Request) -> Response:
        viewer, form = require(request, Role.ADMINISTRATOR), await fields(request)
        user, role = await self._user(form), Role.of(form.get("role", ""))
        if role is None:
            raise HTTPException(400, "no such role")
        deed = deed_of(
            viewer, "changed a role", user.name, **{"from": user.role.word, "to": role.word}
        )
        users, now_us = self._shared.ledger.users, self._shared.now_us()
        return await self._ending(
            request, user, lambda: users.set_role(user.id, role, deed, now_us)
        )

    async def _set_disabled(self, request: Request) -> Response:
        viewer, form = require(request, Role.ADMINISTRATOR), await fields(request)
        user, disabled = await self._user(form), form.get("disabled") == "yes"
        deed = deed_of(viewer, "disabled a user" if disabled else "enabled a user", user.name)
        users, now_us = self._shared.ledger.users, self._shared.now_us()
        return await self._ending(
            request, user, lambda: users.set_disabled(user.id, disabled, deed, now_us)
        )

    async def _delete(self, request: Request) -> Response:
        viewer, form = require(request, Role.ADMINISTRATOR), await fields(request)
        user = await self._user(form)
        if form.get("again") != user.name:
            return await self._page(request, problem=_NOT_TYPED)
        # Without the name: it is to be forgotten, and the number tells who it was.
        deed = deed_of(viewer, "deleted a user", f"user {user.id}", role=user.role.word)
        users, now_us = self._shared.ledger.users, self._shared.now_us()
        return await self._ending(request, user, lambda: users.delete(user.id, deed, now_us))

    async def _reset_second_factor(self, request: Request) -> Response:
        """For somebody who lost the phone, the passkeys and the recovery codes."""
        viewer = require(request, Role.ADMINISTRATOR)
        user = await self._user(await fields(request))
        deed = deed_of(viewer, "reset a second factor", user.name)
        factors, now_us = self._shared.ledger.second_factors, self._shared.now_us()

        def remove() -> bool:
            factors.remove(user.id, deed, now_us)
            return True

        return await self._ending(request, user, remove)

    async def _reset_link(self, request: Request) -> Response:
        require(request, Role.ADMINISTRATOR)
        user = await self._user(await fields(request))
        if problem := link_problem(user):
            return await self._page(request, problem=sentence(problem))
        address = await self._shared.make_link(
            request, LinkKind.RESET, user.name, user.role, "made a link for a new password"
        )
        return await self._page(request, once={f"Link for {user.name}": address})

    async def _void_link(self, request: Request) -> Response:
        viewer = require(request, Role.ADMINISTRATOR)
        number = number_of((await fields(request)).get("id"))
        users, now_us = self._shared.ledger.users, self._shared.now_us()
        links = await self._shared.lookup.in_thread(users.links, now_us)
        link = next((each for each in links if each.id == number), None)
        if link is not None:
            deed = deed_of(viewer, "voided a link", link.name)
            await self._shared.lookup.in_thread(users.void_link, link.id, deed, now_us)
        return RedirectResponse("/settings", 303)

    async def _user(self, form: dict[str, str]) -> User:
        number = number_of(form.get("id"))
        users = await self._shared.lookup.in_thread(self._shared.ledger.users.all)
        user = next((each for each in users if each.id == number), None)
        if user is None:
            raise HTTPException(404)
        return user

    async def _ending(self, request: Request, user: User, change: Callable[[], bool]) -> Response:
        """Do something to a user, and close what they have open: they may see something else."""
        theirs = await self._shared.passes_of(user)
        if not await self._shared.lookup.in_thread(change):
            return await self._page(request, problem=_LAST)
        self._shared.end_live(theirs)
        return RedirectResponse("/settings", 303)


def _session(request: Request) -> Session:
    """The session that asks; on an open console there is nothing of one's own."""
    session = session_of(request)
    if session is None:
        raise HTTPException(403, "make the first account before")
    return session


_BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"))
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac OS X", "Linux")


def browser_of(agent: str) -> str:
    """What a browser calls itself, in two words; for telling one's own sessions apart."""
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in agent), "")
    if not browser:
        browser = "Safari" if "Safari/" in agent else "another program"
    system = next((name for name in _SYSTEMS if name in agent), "")
    return f"{browser} on {system}" if system else browser
