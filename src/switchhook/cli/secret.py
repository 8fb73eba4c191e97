"""`switchhook secret`: a new secret, where it goes, and the URL that has it."""

from __future__ import annotations

import secrets
import sys
from typing import Annotated

from cyclopts import Parameter

from switchhook.cli.options import JSON


def secret(
    endpoint: str = "default",
    *,
    url: Annotated[str, Parameter(help="Where Exotel reaches the answer side.")] = (
        "https://your-host.example"
    ),
    json: JSON = False,
) -> int:
    """Make a secret for an endpoint, and the URL to paste into the Passthru applet.

    Nothing is stored: put the line into the configuration. Several secrets are valid at once, so
    add the new one, change the applet, then remove the old one.

    Parameters
    ----------
    endpoint
        The endpoint's name.
    """
    made = secrets.token_urlsafe(24)
    address = f"{url.rstrip('/')}/passthru/{endpoint}/{made}"
    if json:
        from switchhook.cli.output import print_json

        print_json({"endpoint": endpoint, "secret": made, "url": address})
        return 0
    sys.stdout.write(
        f"In the configuration, under [endpoints.{endpoint}]:\n\n"
        f'  secrets = ["{made}"]\n\n'
        f"In the Passthru applet:\n\n"
        f"  {address}\n"
    )
    return 0
