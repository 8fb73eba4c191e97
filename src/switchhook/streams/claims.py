"""What receipts say of fields, each claim with the receipt that made it, merged in any order.

Of two claims the one that says more stands, whichever came first; of equal ones the first or the
last, as the field's story wants it. Choosing so is commutative, associative and idempotent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from switchhook.exotel.call_words import (
    NOTHING,
    SOMETHING,
    worth_of_number,
    worth_of_status,
    worth_of_time,
)
from switchhook.journal.receipt import order_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from switchhook.exotel.passthru import Passthru, Stream

Claim = tuple[str, str]
"""What a receipt is ordered by (`ReceiptRef.place`), and the text that it said."""

_WORTH: dict[str, Callable[[str], int]] = {
    "from_": worth_of_number,
    "from_raw": worth_of_number,
    "to": worth_of_number,
    "to_raw": worth_of_number,
    "call_status": worth_of_status,
    "created_raw": worth_of_time,
    "started_raw": worth_of_time,
    "ended_raw": worth_of_time,
}
"""Fields of which a word may say more than another, whichever came first."""


def all_said(by: str, spoken: Stream | Passthru, names: Iterable[str]) -> dict[str, Claim]:
    """What a receipt says of fields, `by` its place; what says nothing is left out."""
    found = {name: str(text) for name in names if (text := getattr(spoken, name))}
    return {
        name: (by, text)
        for name, text in found.items()
        if name not in _WORTH or _WORTH[name](text) != NOTHING
    }


def merge_said(
    one: Mapping[str, Claim],
    other: Mapping[str, Claim],
    choose: Callable[[str, Claim, Claim], Claim],
) -> dict[str, Claim]:
    """Of each field what `choose` takes; sorted, so that equal stories are equal as bytes too."""
    return {
        name: choose(name, one.get(name) or other[name], other.get(name) or one[name])
        for name in sorted(one.keys() | other.keys())
    }


def _order(said: Claim) -> tuple[tuple[int, int, int, str], str]:
    return order_of(said[0]), said[1]


def _worth(name: str, said: Claim) -> int:
    return _WORTH[name](said[1]) if name in _WORTH else SOMETHING


def first_said(name: str, one: Claim, other: Claim) -> Claim:
    """Of what says more, what was said first."""
    return min(one, other, key=lambda said: (-_worth(name, said), _order(said)))


def last_said(name: str, one: Claim, other: Claim) -> Claim:
    """Of what says more, what was said last."""
    return max(one, other, key=lambda said: (_worth(name, said), _order(said)))


def text_of(said: Mapping[str, Claim], name: str) -> str | None:
    """What was said of a field; None where nothing was."""
    found = said.get(name)
    return None if found is None else found[1]
