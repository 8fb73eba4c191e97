"""`switchhook tokens`: what programs show at the API. It works beside a console that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from switchhook.access.roles import Scope
from switchhook.access.sign_in import name_problem
from switchhook.cli import output
from switchhook.cli.ledger import deed, now_us, opened, refuse
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.web.render import rfc3339
from switchhook.web.sign_in.tokens import TOKEN_PREFIX, hashed, new_proof

if TYPE_CHECKING:
    from switchhook.access.users import Token

app = App(name="tokens", help="What programs show at the API.")

LONGEST_DAYS = 365
_DAY_US = 86_400_000_000


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the tokens; what they are made of is kept nowhere."""
    with opened(config, data, to_look=True) as ledger:
        tokens, now = ledger.passes.tokens(), now_us()
    if json:
        for token in tokens:
            output.print_json(_token_json(token, now))
    elif tokens:
        output.print_table(
            ("ID", "NAME", "SCOPE", "OF", "EXPIRES", "LAST USED", "STATE"),
            (
                (
                    token.id,
                    token.name,
                    token.scope.value,
                    None if token.owner is None else token.owner.name,
                    output.moment(rfc3339(token.expires_us)),
                    None if token.used_us is None else output.moment(rfc3339(token.used_us)),
                    _state(token, now),
                )
                for token in tokens
            ),
        )
    else:
        output.err.print("there is no token: switchhook tokens make NAME")
    return 0


@app.command
def make(
    name: str,
    *,
    scope: Annotated[str, Parameter(help="read, operate, release, admin or flags.")] = "read",
    days: Annotated[int, Parameter(help="How long it works.")] = 90,
    owner: Annotated[
        str | None, Parameter(help="A user whose role limits it, and with whom it ends.")
    ] = None,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Make a token, and print it this once.

    Parameters
    ----------
    name
        What it is for.
    """
    if problem := name_problem(name):
        raise refuse(problem, "any script will do", key="name")
    if scope not in set(Scope):
        hint = ", ".join(each.value for each in Scope)
        raise refuse(f"no such scope: {output.short(scope, 40)}", hint, key="--scope")
    if not 1 <= days <= LONGEST_DAYS:
        raise refuse(f"{days} days", f"1 to {LONGEST_DAYS}", key="--days")
    proof, now = new_proof(TOKEN_PREFIX), now_us()
    with opened(config, data) as ledger:
        user = None if owner is None else ledger.users.named(owner)
        if owner is not None and user is None:
            raise refuse("there is no such user", "see: switchhook users list", key="--owner")
        ledger.passes.make_token(
            name,
            Scope(scope),
            None if user is None else user.id,
            hashed(proof),
            now + days * _DAY_US,
            deed("made a token", name, scope=scope, days=str(days)),
            now,
        )
    output.out.print(proof, soft_wrap=True)
    output.err.print("copy it now: it is kept nowhere")
    return 0


@app.command
def revoke(number: int, *, config: CONFIG = None, data: DATA = None) -> int:
    """Let a token open nothing any more.

    Parameters
    ----------
    number
        Its ID, as `switchhook tokens list` shows it.
    """
    with opened(config, data) as ledger:
        token = next((each for each in ledger.passes.tokens() if each.id == number), None)
        if token is None or not ledger.passes.revoke_token(
            number, deed("revoked a token", token.name), now_us()
        ):
            raise refuse("no token to revoke", "see: switchhook tokens list", key=str(number))
    output.out.print(f"token {output.plain(token.name)} is revoked")
    return 0


def _state(token: Token, now: int) -> str:
    if token.revoked_us is not None:
        return "revoked"
    if token.owner is not None and token.owner.disabled:
        return "its owner is disabled"
    return "works" if token.works(now) else "expired"


def _token_json(token: Token, now: int) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scope": token.scope.value,
        "owner": None if token.owner is None else token.owner.name,
        "created_at": rfc3339(token.created_us),
        "expires_at": rfc3339(token.expires_us),
        "used_at": None if token.used_us is None else rfc3339(token.used_us),
        "state": _state(token, now),
    }
