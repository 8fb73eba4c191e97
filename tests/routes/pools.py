"""Pools to set something of: sales with two members and one that is out, backup, empty."""

from __future__ import annotations

from switchhook.routes.hands import HandWanted, KnownRoutes, change_of
from switchhook.rules.bot_pool import Member, MemberState, Pool
from switchhook.rules.routing import HandAct, HandSetting

SALES = Pool(
    name="sales",
    members=(
        Member(name="vendor-a", url="wss://a.example/stream"),
        Member(name="vendor-b", url="wss://b.example/stream", weight=50),
        Member(name="old", url="wss://old.example/stream", state=MemberState.OUT),
    ),
)
BACKUP = Pool(name="backup", members=(Member(name="spare", url="wss://spare.example/stream"),))
THIRD = Pool(name="third", members=(Member(name="vendor-b", url="wss://c.example/stream"),))
EMPTY = Pool(
    name="empty",
    members=(Member(name="gone", url="wss://gone.example/stream", state=MemberState.OUT),),
)
KNOWN = KnownRoutes(
    {each.name: each for each in (SALES, BACKUP, THIRD, EMPTY)}, ("default", "sales-in")
)
NOW = 1_700_000_000_000


def wanted(act: HandAct, **said) -> HandWanted:
    return HandWanted(act=act, **{"reason": "it fails", **said})


class Hands:
    """What is in force, changed one after the other, as the ledger does."""

    def __init__(self, known: KnownRoutes = KNOWN) -> None:
        self.known, self._next = known, 1
        self.held: tuple[HandSetting, ...] = ()

    def set(self, act: HandAct, **said):
        import msgspec

        change = change_of(wanted(act, **said), self.known, self.held, "asha", NOW)
        self.held = tuple(each for each in self.held if each.id not in change.ends)
        if change.begins is not None:
            begins = msgspec.structs.replace(change.begins, id=self._next)
            self._next += 1
            self.held = (*self.held, begins)
        return change
