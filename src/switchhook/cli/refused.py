"""`switchhook refused`: samples of requests that were not let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from switchhook.cli import output
from switchhook.cli.data import data_folder
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.reading import reading
from switchhook.exotel.phone_numbers import mask_text, masked
from switchhook.streams.refused import refused_json, said_of
from switchhook.streams.refused_queries import MOST_REFUSED, refused_requests
from switchhook.web.json import time_of
from switchhook.web.masking import mask_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from switchhook.streams.refused import RefusedRequest


def refused(
    *,
    limit: Annotated[
        int,
        Parameter(
            validator=Number(gte=1, lte=MOST_REFUSED),
            help=f"How many at most, 1 to {MOST_REFUSED}.",
        ),
    ] = 20,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Show samples of refused requests, newest first: when, from where, why, what they said.

    Up to 20 an hour are kept of those that look like passthrus, five of those that are no readable
    HTTP. Secrets are fingerprints. Exit code 1 if something can't be read; on a node whose
    cluster's database is away those of its own journal are shown, which is said above.
    """
    with reading(data_folder(config, data)) as opened:
        found = refused_requests(opened.journal, opened.store, limit)
        if json:
            whole = opened.noted("refused")
            for each in found:
                shown = refused_json(each)
                output.print_json(shown if whole else mask_json(shown))
        else:
            _print(found)
        return opened.code()


def _print(found: Sequence[RefusedRequest]) -> None:
    if not found:
        output.out.print("nothing was refused in all that is kept")
    for each in found:
        sample = each.sample
        at = output.moment(time_of(each.at_ms * 1000))
        where = f" from {sample.peer}" if sample.peer else ""
        line = f"{at}  {sample.endpoint or 'no endpoint'}: {sample.reason}{where}"
        output.out.print(output.plain(line), soft_wrap=True)
        said = [] if each.passthru is None else said_of(each.passthru)
        output.print_pairs(
            [
                ("why", each.why),
                *(
                    (name, masked(text) if name in ("from", "to") else mask_text(text))
                    for name, text in said
                ),
                ("as it came", mask_text(each.text)),
            ],
            indent=2,
        )
