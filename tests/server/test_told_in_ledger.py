"""A kill switch and a flag that a command sets are told by what keeps them, without a leader."""

from __future__ import annotations

import time
from contextlib import closing
from functools import partial

import pytest

from program import until
from switchhook.access.audit import Deed
from switchhook.cluster import told
from switchhook.errors import HandError
from switchhook.flags.changes import FlagWanted, change_of
from switchhook.flags.ledger import LedgerFlags
from switchhook.routes.hands import HandChange
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.rules.flags import Flag, FlagKind
from switchhook.rules.routing import HandAct, HandSetting
from switchhook.server.tables import open_ledger
from switchhook.server.told_in_ledger import flags_teller, tell_hands
from told_nodes import Cluster

OFF = Flag(name="off", kind=FlagKind.BOOLEAN, default=False)
SAFE = HandSetting(id=0, act=HandAct.SAFE, endpoint="sales", by="asha")
DEED = Deed(who="asha", what="did it")


def now_ms():
    return time.time_ns() // 1_000_000


def set_by_hand(hands):
    change = HandChange(begins=SAFE, ends=(), said="sent to the safe option")
    return hands.change(lambda _: change, lambda _: DEED, now_ms())


def set_flag(flags, value):
    wanted = FlagWanted(flag="off", value=value, reason="it fails")
    return flags.change(
        lambda held, _: change_of(wanted, [OFF], held, "asha", now_ms()), lambda _: DEED, now_ms()
    )


@pytest.fixture
def cluster(postgresql_schema, tmp_path):
    return Cluster(postgresql_schema, tmp_path)


def known(cluster, node):
    return cluster.reader(node).look(now_ms())[1]


def test_it_is_in_force_on_every_node_within_a_second(cluster):
    with closing(open_ledger(cluster.url)) as ledger, cluster.relay(1), cluster.relay(2):
        hands = LedgerHands(ledger, tell_hands)
        flags = LedgerFlags(ledger, flags_teller([OFF], now_ms()))

        def on_all(what):
            return all(what(known(cluster, node)) for node in (1, 2))

        for act, is_there in (
            (partial(set_by_hand, hands), lambda r: [h.endpoint for h in r.hands] == ["sales"]),
            (
                partial(set_flag, flags, value=True),
                lambda r: "off" in r.flags and r.flags["off"].value,
            ),
            (partial(set_flag, flags, value=None), lambda r: not r.flags),
            (
                lambda: hands.undo(lambda held: held[0], lambda _: DEED, now_ms()),
                lambda r: not r.hands,
            ),
        ):
            act()
            until(partial(on_all, is_there), "it is in force")


def test_what_is_not_kept_is_not_told(cluster):
    def refuse(_):
        raise HandError("no such thing", "say another")

    with closing(open_ledger(cluster.url)) as ledger:
        hands = LedgerHands(ledger, tell_hands)
        set_by_hand(hands)
        with cluster.connection() as connection:
            before = told.versions(connection)
            with pytest.raises(HandError):
                hands.change(refuse, lambda _: DEED, now_ms())
            assert told.versions(connection) == before


def test_a_ledger_of_one_machine_tells_nobody(tmp_path):
    with closing(open_ledger(tmp_path / "ledger")) as ledger:
        hands = LedgerHands(ledger, tell_hands)
        set_by_hand(hands)
        assert [each.endpoint for each in hands.held(now_ms())] == ["sales"]
