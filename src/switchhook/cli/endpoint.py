"""`switchhook endpoint`: what endpoints are, what one is asked by, and how it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from switchhook.access.audit_ledger import LedgerAudit
from switchhook.cli import output
from switchhook.cli.data import (
    config_in,
    config_or_last,
    found_config,
    found_data_folder,
    public_url,
)
from switchhook.cli.endpoint_list import list_
from switchhook.cli.endpoint_try import only_endpoint, try_, unknown_endpoint
from switchhook.cli.ledger import deed, now_us
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.config import AuthMode
from switchhook.config.own_links import applet_urls
from switchhook.errors import DataFolderError
from switchhook.server.places import has_ledger, ledger_of
from switchhook.system.data_folder import IDENTITY, read_identity

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.config import Config

_LOCAL = (
    "that is the address on this machine: say by --url, or answer.url in the configuration, how"
    " Exotel reaches it"
)
_EDITED = (
    'after each edit of the flow, go through docs/exotel-flow.md, "After each edit of the flow":'
    " order, URL, async, A and B, bot's URL, published, number; then switchhook endpoint test"
    " {name}, and one call"
)

_FIRST_START = "start it, switchhook serve, then ask again; or name a secret_files of your own"

app = App(name="endpoint", help="What endpoints are, and how they answer.")
app.command(list_, name="list")
app.command(try_, name="test")

URL = Annotated[str | None, Parameter(help="How Exotel reaches the answer side; else answer.url.")]


@app.command(name="url")
def print_url(
    name: str | None = None,
    *,
    url: URL = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Print the URL of an endpoint for its Passthru or Voicebot applet, with its secret.

    Makes no secret: the URL has the first that is configured, or the one that the data folder made
    where none is. That somebody read it is in the audit log.

    Parameters
    ----------
    name
        The endpoint's name in the configuration; without it the only one.
    """
    folder = found_data_folder(config, data)
    said = _configured(folder, config, data)
    if name is None:
        name = only_endpoint([each.name for each in said.endpoints], "url")
    point = next((each for each in said.endpoints if each.name == name), None)
    if point is None:
        raise unknown_endpoint(said, name)
    own, ran = point.secrets or point.auth == AuthMode.OPEN, (folder / IDENTITY).exists()
    if not own and not ran:
        problem = f"the secret of {name}'s URL is made at the first start, and nothing has run yet"
        raise DataFolderError(str(folder), problem, _FIRST_START)
    key = read_identity(folder).key if ran else b""
    found = applet_urls(folder, said, name, key, public_url(url))
    if found is None:
        raise unknown_endpoint(said, name)
    if has_ledger(folder):
        ledger = ledger_of(folder)
        try:
            LedgerAudit(ledger).note(deed("read the URL of an endpoint", name), now_us())
        finally:
            ledger.close()
    if json:
        first, *others = found.urls
        output.print_json({"endpoint": name, "url": first, "also": others, "public": found.public})
        return 0
    output.out.print(found.urls[0], soft_wrap=True)
    for also in found.urls[1:]:
        output.err.print(f"valid, too: {also}", soft_wrap=True)
    if not found.public:
        output.err.print(_LOCAL, soft_wrap=True)
    output.err.print(_EDITED.format(name=name), soft_wrap=True)
    return 0


def _configured(folder: Path, config: str | None, data: str | None) -> Config:
    """What runs; before the first start, what would. Raises ConfigError, DataFolderError."""
    file = found_config(config, data)
    if file is not None and not (folder / IDENTITY).exists():
        return config_in(file)
    read_identity(folder)
    return config_or_last(folder, config)
