"""`switchhook users`: who may sign in to the console. It works beside a console that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from switchhook.access.password_policy import password_problem
from switchhook.access.roles import Role
from switchhook.access.sign_in import link_problem, name_problem
from switchhook.access.users import LinkKind
from switchhook.cli import output
from switchhook.cli.data import data_folder, not_up, say_not_up
from switchhook.cli.ledger import (
    address_of_console,
    ask_password,
    deed,
    now_us,
    opened,
    refuse,
)
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.web.render import rfc3339
from switchhook.web.sign_in.password_hashing import hash_password
from switchhook.web.sign_in.sign_in import make_link

if TYPE_CHECKING:
    from switchhook.access.users import AccessLedger, User

app = App(name="users", help="Who may sign in to the console.")

ROLE = Annotated[str, Parameter(name="--role", help="viewer, operator or administrator.")]
_KNOWN = "see: switchhook users list"


@app.command(name="list")
def list_(*, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """List the users with their roles."""
    with opened(config, data, to_look=True) as ledger:
        users = ledger.users.all()
    if json:
        for user in users:
            output.print_json(_user_json(user))
    elif users:
        output.print_table(
            ("NAME", "ROLE", "SIGNS IN BY", "SINCE"),
            (
                (
                    user.name,
                    user.role.word + (" (disabled)" if user.disabled else ""),
                    _by(user),
                    output.moment(rfc3339(user.created_us)),
                )
                for user in users
            ),
        )
    else:
        output.err.print("nobody has an account: switchhook users add, or switchhook users link")
    return 0


@app.command
def add(name: str, *, role: ROLE = "viewer", config: CONFIG = None, data: DATA = None) -> int:
    """Make a user. The password is asked for, or read from standard input.

    Parameters
    ----------
    name
        What the user signs in by.
    """
    given = _role(role)
    if problem := name_problem(name):
        raise refuse(problem, "any script will do", key="name")
    kept = _new_password(name, config, data)
    with opened(config, data) as ledger:
        done = deed("made a user", name, role=given.word)
        user = ledger.users.add(name, given, done, now_us(), password_hash=kept)
    if user is None:
        raise refuse("this name is taken", _KNOWN, key=output.plain(name))
    output.out.print(f"{output.plain(name)} is {given.word}")
    return 0


@app.command
def role(name: str, role: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Give a user another role; their sessions and tokens end.

    Parameters
    ----------
    name
        The user's name.
    role
        viewer, operator or administrator.
    """
    given = _role(role)
    with opened(config, data) as ledger:
        user = _user(ledger, name)
        done = deed("changed a role", user.name, **{"from": user.role.word, "to": given.word})
        if not ledger.users.set_role(user.id, given, done, now_us()):
            raise _last(user)
    output.out.print(f"{output.plain(user.name)} is {given.word}")
    return 0


@app.command
def disable(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Keep a user out; their sessions and tokens end.

    Parameters
    ----------
    name
        The user's name.
    """
    return _set_disabled(name, config, data, disabled=True)


@app.command
def enable(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Let a disabled user in again.

    Parameters
    ----------
    name
        The user's name.
    """
    return _set_disabled(name, config, data, disabled=False)


@app.command
def password(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Give a user a new password; it is asked for, or read from standard input.

    Parameters
    ----------
    name
        The user's name.
    """
    with opened(config, data) as ledger:
        user = _user(ledger, name)
        if user.oidc_subject is not None:
            raise refuse("this user signs in by OpenID Connect", "", key=output.plain(name))
        kept = _new_password(user.name, config, data)
        done = deed("set a password", user.name)
        ledger.users.set_password(user.id, kept, done, now_us())
    output.out.print(
        f"{output.plain(user.name)} has a new password; their sessions and tokens ended"
    )
    return 0


@app.command
def delete(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Delete a user for good; what they did stays in the audit log.

    Parameters
    ----------
    name
        The user's name.
    """
    with opened(config, data) as ledger:
        user = _user(ledger, name)
        # Without the name: it is to be forgotten, and the number tells who it was.
        done = deed("deleted a user", f"user {user.id}", role=user.role.word)
        if not ledger.users.delete(user.id, done, now_us()):
            raise _last(user)
    output.out.print(f"{output.plain(user.name)} is deleted; in the audit log: user {user.id}")
    return 0


@app.command
def reset_second_factor(name: str, *, config: CONFIG = None, data: DATA = None) -> int:
    """Let a user in by the password alone, who lost the phone and the recovery codes.

    Parameters
    ----------
    name
        The user's name.
    """
    with opened(config, data) as ledger:
        user = _user(ledger, name)
        if not user.second_factor:
            raise refuse("this user has no second factor", "", key=output.plain(name))
        ledger.second_factors.remove(user.id, deed("reset a second factor", user.name), now_us())
    output.out.print(f"{output.plain(user.name)} signs in by password alone; their sessions ended")
    return 0


@app.command
def link(
    name: str | None = None,
    *,
    role: ROLE = "viewer",
    url: Annotated[str | None, Parameter(help="How people reach the console.")] = None,
    config: CONFIG = None,
    data: DATA = None,
) -> int:
    """Make a one-time link: an invitation works for 3 days, others for 15 minutes.

    Without a name it makes an administrator, who chooses one. With the name of a user it sets a new
    password; with another it makes a user of that name.

    Parameters
    ----------
    name
        Whom it is for.
    """
    down = [] if url else not_up(data_folder(config, data), "console")
    address = address_of_console(config, data, url)
    given = _role(role)
    if name and (problem := name_problem(name)):
        raise refuse(problem, "any script will do", key="name")
    with opened(config, data) as ledger:
        user = ledger.users.named(name) if name else None
        if user is not None and (problem := link_problem(user)):
            raise refuse(problem, "", key=output.plain(user.name))
        if not name:
            kind, name, given = LinkKind.FIRST, "", Role.ADMINISTRATOR
        elif user is not None:
            kind, name, given = LinkKind.RESET, user.name, user.role
        else:
            kind = LinkKind.INVITE
        done = deed("made a link", name, to=_FOR[kind], role=given.word)
        made = make_link(ledger, kind, name, given, done, now_us(), address)
    output.out.print(made, soft_wrap=True)
    life = "3 days" if kind is LinkKind.INVITE else "15 minutes"
    output.err.print(f"it works once, within {life}, to {_FOR[kind]}")
    say_not_up(down)
    return 0


_FOR = {
    LinkKind.FIRST: "become an administrator",
    LinkKind.INVITE: "become a user",
    LinkKind.RESET: "set a new password",
}


def _set_disabled(name: str, config: str | None, data: str | None, *, disabled: bool) -> int:
    with opened(config, data) as ledger:
        user = _user(ledger, name)
        done = deed("disabled a user" if disabled else "enabled a user", user.name)
        if not ledger.users.set_disabled(user.id, disabled, done, now_us()):
            raise _last(user)
    output.out.print(f"{output.plain(user.name)} is {'disabled' if disabled else 'enabled'}")
    return 0


def _new_password(name: str, config: str | None, data: str | None) -> str:
    """A password that may be one, hashed."""
    said = ask_password()
    if problem := password_problem(said, name, (address_of_console(config, data),)):
        raise refuse(problem, "", key="password")
    return hash_password(said)


def _user(ledger: AccessLedger, name: str) -> User:
    user = ledger.users.named(name)
    if user is None:
        raise refuse("there is no such user", _KNOWN, key=output.plain(name))
    return user


def _role(said: str) -> Role:
    role = Role.of(said)
    if role is None:
        hint = ", ".join(each.word for each in Role)
        raise refuse(f"no such role: {output.short(said, 40)}", hint, key="role")
    return role


def _last(user: User) -> Exception:
    hint = "make another administrator first"
    problem = "nobody else could sign in as an administrator"
    return refuse(problem, hint, key=output.plain(user.name))


def _by(user: User) -> str:
    if user.oidc_subject is not None:
        return "OpenID Connect"
    if user.password_hash is None:
        return "nothing yet"
    return "password and second factor" if user.second_factor else "password"


def _user_json(user: User) -> dict[str, object]:
    return {
        "name": user.name,
        "role": user.role.word,
        "disabled": user.disabled,
        "by": _by(user),
        "created_at": rfc3339(user.created_us),
    }
