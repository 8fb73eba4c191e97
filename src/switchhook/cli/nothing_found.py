"""What a search that found nothing was understood as, and what would find something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.cli.data import config_or_last
from switchhook.errors import ConfigError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.streams.search.in_words import explained
from switchhook.streams.search.syntax import query_text
from switchhook.web.moments import is_date_like

if TYPE_CHECKING:
    from pathlib import Path

    from switchhook.streams.names import Names
    from switchhook.streams.search.query import Query
    from switchhook.streams.store import Store


def say_nothing_found(store: Store, query: Query | None, names: Names) -> None:
    """Say that nothing fits, each term of the search in words, and which one leaves nothing."""
    if query is None:
        output.err.print("no stream fits this")
        return
    output.err.print("no stream fits all of this:")
    for term in explained(query, output.own_zone(), store, names):
        said = output.plain(mask_text(term.words, but=is_date_like))
        output.err.print(f"  {output.plain(mask_text(term.text, but=is_date_like))}: {said}")
        for each in term.less:
            if each.finds:
                instead = output.plain(mask_text(query_text(each.query)) or "all of them")
                output.err.print(f"    {each.words} there are some: {instead}")


def say_endpoint_unknown(folder: Path, config: str | None, endpoint: str | None) -> None:
    """Say so where the configuration has no endpoint of that name; it may have had one."""
    if endpoint is None:
        return
    try:
        known = [each.name for each in config_or_last(folder, config).endpoints]
    except (ConfigError, OSError):
        return
    if endpoint not in known:
        has = output.plain(", ".join(known))
        output.err.print(
            f"the configuration has no endpoint {output.plain(endpoint)}; it has {has}"
        )
