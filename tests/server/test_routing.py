"""What a restart takes over of pools: as much of the journal as the figures are made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from kept_receipts import START_MS, Kept, query, receipt
from patience import PATIENCE_S
from switchhook.capacity.facts_file import FactsFile
from switchhook.config import load_config
from switchhook.errors import JournalError
from switchhook.journal.receipt import AddressGiven, RecordKind, encode
from switchhook.rules.routing import Route
from switchhook.server.routing import Routing
from switchhook.server.tables import open_ledger

CONFIG = """
[bots.sales.members.vendor-a]
url = "wss://a.example/stream"
{limit}
[endpoints.default]
auth = "open"
"""
MINUTE_MS = 60_000
LAST_MS = START_MS + 40 * MINUTE_MS


@pytest.fixture
def kept(tmp_path):
    """An address given each second for 40 minutes; the streams of the first half have ended."""
    kept = Kept(tmp_path / "journal")
    for second in range(2_400):
        call = f"c{second}"
        given = AddressGiven(
            **msgspec.structs.asdict(receipt(query(call, None, None))),
            route=Route(pool="sales", key=call, member="vendor-a"),
        )
        at = START_MS + 1_000 * second
        kept.record(RecordKind.VOICEBOT, encode(given), at=at)
        if second % 2:
            kept.record(RecordKind.PASSTHRU, encode(receipt(query(call, f"s{call}"))), at=at)
    assert kept.writer.flush(PATIENCE_S)
    yield kept
    kept.close()


def config(text):
    return load_config(text, file="switchhook.toml", environ={}, read_file=lambda path: b"")


def restarted(tmp_path, limit=""):
    held: Any = SimpleNamespace(path=tmp_path, node=7)
    clock: Any = SimpleNamespace(now_ms=lambda: LAST_MS, mono_ms=lambda: LAST_MS)
    return Routing(
        config(CONFIG.format(limit=limit)),
        held=held,
        ledger=open_ledger(tmp_path / "ledger"),
        facts=FactsFile(tmp_path),
        clock=clock,
        note=lambda deed: None,
    )


def stands(routing):
    routing.worker.look()
    view = routing.worker.view()
    (member,) = view.pool("sales").members
    return member.given, member.live, view.counted_from_ms


def test_figures_of_a_quarter_of_an_hour_are_whole_after_a_restart(tmp_path, kept):
    routing = restarted(tmp_path)
    routing.begin(kept.reader)
    assert stands(routing) == (900, 450, None)


def test_where_a_member_has_a_limit_all_that_can_still_run_counts(tmp_path, kept):
    routing = restarted(tmp_path, "limit = 2000")
    routing.begin(kept.reader)
    assert stands(routing) == (900, 1_200, None)
    told = routing.worker._members.known((), LAST_MS)["sales", "vendor-a"]
    assert told.facts.room == 800


def test_no_more_is_read_than_a_start_has_time_for_and_since_when_is_said(tmp_path, kept):
    routing = restarted(tmp_path)
    routing.begin(kept.reader, most=300)
    given, live, since_ms = stands(routing)
    assert (given, live) == (200, 100)
    assert since_ms == LAST_MS - 200_000
    routing.worker.now_ms = lambda: since_ms + 15 * MINUTE_MS
    assert stands(routing)[2] is None


def test_a_journal_that_cannot_be_read_is_said_and_calls_count_from_then(tmp_path, caplog):
    class Broken:
        def seek(self, at_ms):
            raise JournalError("1", "it is damaged", "restore it")

    routing = restarted(tmp_path)
    routing.begin(Broken())
    assert "how members of pools went before the start is not known" in caplog.text
    assert stands(routing) == (0, 0, LAST_MS)


def test_without_pools_nothing_is_read(tmp_path):
    routing = restarted(tmp_path)
    routing.use(config('[endpoints.default]\nauth = "open"\n'))
    routing.begin(None)
    assert routing.worker.counted_from_ms is None
