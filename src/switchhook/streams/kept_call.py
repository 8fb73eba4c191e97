"""One call as it is kept: its story, and each of its receipts with what is known beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.passthru import Defect
from switchhook.exotel.phone_numbers import masked
from switchhook.journal.receipt import Keep, Receipt
from switchhook.streams.parsed_record import PassthruRecord, UnreadableRecord
from switchhook.streams.store import UNMARKED, Marks
from switchhook.streams.story import CallStory

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru


class KeptReceipt(msgspec.Struct, frozen=True):
    """A receipt by its id; `receipt`, `passthru` and `deciding` are None where it can't be read.

    `first` is the receipt that this one repeats, where that is kept. `placed_ms` is where in time
    it belongs if the system's clock was wrong when it came.
    """

    id: str
    read: PassthruRecord | UnreadableRecord
    first: Receipt | None = None
    marks: Marks = UNMARKED
    placed_ms: int | None = None

    @property
    def receipt(self) -> Receipt | None:
        return self.read.receipt if isinstance(self.read, PassthruRecord) else None

    @property
    def passthru(self) -> Passthru | None:
        return self.read.passthru if isinstance(self.read, PassthruRecord) else None

    @property
    def copies(self) -> int | None:
        """How many copies there were when it was answered; None where two were not asked for."""
        receipt = self.receipt
        return None if receipt is None else copies_of(receipt, self.marks)

    @property
    def late_ms(self) -> int | None:
        """How long after it was due it became durable; None where it was in time."""
        return self.marks.late_ms

    @property
    def deciding(self) -> Receipt | None:
        """The receipt whose rule decided: of a repeat the first one."""
        return self.first or self.receipt

    @property
    def received_us(self) -> int:
        """When it came, by the system's clock."""
        receipt = self.receipt
        return self.read.record.at * 1000 if receipt is None else receipt.received_us

    @property
    def at_us(self) -> int:
        """When it came, whatever the system's clock said."""
        return self.received_us if self.placed_ms is None else self.placed_ms * 1000

    @property
    def defects(self) -> tuple[Defect, ...]:
        """What could not be understood of the request, or nothing at all."""
        if isinstance(self.read, UnreadableRecord):
            return (Defect("receipt", unread(self.read)),)
        return defects_of(self.read.receipt, self.read.passthru)


class KeptCall(msgspec.Struct, frozen=True):
    """A call and its receipts in the journal's order; `more` where there are more of them."""

    story: CallStory
    receipts: tuple[KeptReceipt, ...]
    more: bool = False


def masked_numbers(call: KeptCall | None) -> dict[str, str]:
    """The numbers of a call, masked, by what they are."""
    text = (lambda _: None) if call is None else call.story.text
    said = {"from": masked(text("from_")), "to": masked(text("to"))}
    return {name: number for name, number in said.items() if number}


def copies_of(receipt: Receipt, marks: Marks | None) -> int | None:
    """How many copies there were of a receipt when it was answered, where two were asked for.

    None where they were not, or where nobody looked for marks.
    """
    if receipt.keep is not Keep.TWO_COPIES or marks is None:
        return None
    return 1 if marks.one_copy else 2


def unread(record: UnreadableRecord) -> str:
    """Why a receipt is not shown, by the kind of problem alone."""
    return f"can't be read ({record.reason.partition(':')[0]})"


def defects_of(receipt: Receipt, passthru: Passthru) -> tuple[Defect, ...]:
    """What could not be understood of a request, when it was read and when it was decided."""
    return (*passthru.defects, *receipt.decision.defects)
