"""What a search that found nothing was understood as, and what would find something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.cli import output
from switchhook.exotel.phone_numbers import mask_text
from switchhook.streams.search.in_words import explained
from switchhook.streams.search.syntax import query_text
from switchhook.web.moments import is_date_like

if TYPE_CHECKING:
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
