"""`switchhook link`: the addresses of a switchhook of this machine, with what opens them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from switchhook.access.roles import Role
from switchhook.access.users import LinkKind
from switchhook.cli import output
from switchhook.cli.data import config_for, data_folder, not_up, say_not_up
from switchhook.cli.ledger import address_of_console, deed, now_us, opened
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.config.own_links import address, applet_of, passthru_paths
from switchhook.system.data_folder import read_identity
from switchhook.web.sign_in.local_door import LocalDoor
from switchhook.web.sign_in.sign_in import make_link

if TYPE_CHECKING:
    from switchhook.config import ConsoleConfig

URL = Annotated[str | None, Parameter(help="How people reach the console.")]


def link(*, url: URL = None, config: CONFIG = None, data: DATA = None, json: JSON = False) -> int:
    """Print the way in to the console, and the URL of each endpoint without a configured secret.

    While nobody has an account, the console opens by a link that only the owner of the data folder
    can make. Where it wants accounts from the start, the link makes the first administrator's.
    """
    folder = data_folder(config, data)
    down = not_up(folder)
    key = read_identity(folder).key
    said = config_for(folder, config)
    base = address_of_console(config, data, url)
    console, what = _way_in(said.console, key, base, config, data)
    answer = address(folder, "answer", said.answer.listen)
    urls = {name: answer + path for name, path in passthru_paths(said, key).items()}
    kinds = {point.name: applet_of(point) for point in said.endpoints}
    if json:
        by = {
            kind: {name: whole for name, whole in urls.items() if kinds[name] == kind}
            for kind in ("passthru", "voicebot")
        }
        output.print_json({"console": console, **by})
        say_not_up(down)
        return 0
    output.out.print(f"console {console}", soft_wrap=True)
    for name, whole in urls.items():
        output.out.print(f"{kinds[name]} {whole}", soft_wrap=True)
    output.err.print(f"the console: {what}", soft_wrap=True)
    say_not_up(down)
    return 0


def _way_in(
    console: ConsoleConfig, key: bytes, base: str, config: str | None, data: str | None
) -> tuple[str, str]:
    """The address for who comes next, and what it does."""
    with opened(config, data) as ledger:
        if ledger.passes.standing(None, None).accounts:
            return f"{base}/login", "people sign in there"
        if console.access.open(accounts=False):
            return base + LocalDoor(key).path, "this link opens it until somebody has an account"
        done = deed("made a link", to="become an administrator")
        made = make_link(ledger, LinkKind.FIRST, "", Role.ADMINISTRATOR, done, now_us(), base)
    return made, "this link makes the first administrator, once"
