"""The way of a record through the console whole: read once, whoever wants to know of it."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections import Counter
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from starlette.requests import Request

from kept_receipts import query, receipt
from patience import PATIENCE_S
from switchhook.config.live import SettingsKeeper
from switchhook.exotel import cause
from switchhook.exotel.wire import passthru, status_callback
from switchhook.exotel.wire.known_shapes import QuickReader
from switchhook.journal import JournalWriter
from switchhook.journal import receipt as receipts
from switchhook.journal.receipt import Counters, RecordKind, StatusReceived, encode
from switchhook.overview.feed import NOW
from switchhook.server.console_parts import ConsoleSide
from switchhook.server.keeping import one_machine
from switchhook.system.data_folder import JOURNAL, DataFolder
from telemetry.traces.test_exporter import Receiver, receiver  # noqa: F401 - a fixture

FORM = "application/x-www-form-urlencoded"
READERS = {
    "decode receipt": (receipts, "decode_receipt"),
    "decode callback": (receipts, "decode_status"),
    "read passthru": (QuickReader, "read"),
    "parse passthru": (passthru, "parse"),  # of what the quick reader leaves
    "parse callback": (status_callback, "parse"),
    "classify": (cause, "classify"),
    "judge": (cause, "judge"),
}
CONFIG = """
[traces]
endpoint = "http://127.0.0.1:{port}/v1/traces"
[accounts.main]
sid = "acme1"
url = "http://127.0.0.1:9"
key_env = "KEY"
token_env = "TOKEN"
poll = false
call_details = true
[endpoints.default]
auth = "open"
"""


@pytest.fixture
def counted(monkeypatch):
    """How often each way to read a record was used, by whichever name a module has it."""
    counts = Counter()

    def counting(what, read):
        def wrapped(*given, **named):
            counts[what] += 1
            return read(*given, **named)

        return wrapped

    ours = [module for name, module in sys.modules.items() if name.startswith("switchhook.")]
    for what, (place, name) in READERS.items():
        read = getattr(place, name)
        wrapped = counting(what, read)
        for holder in (*ours, QuickReader):
            for known in [key for key, value in vars(holder).items() if value is read]:
                monkeypatch.setattr(holder, known, wrapped)
    return counts


class Console:
    """The console's parts as they run, over a journal to write to."""

    def __init__(self, folder, port):
        config = folder / "switchhook.toml"
        config.write_text(CONFIG.format(port=port))
        environ = {"KEY": "k" * 20, "TOKEN": "t" * 20}
        keeper = SettingsKeeper(folder / "data", str(config), environ=environ)
        with DataFolder.open(folder / "data", "answer") as held:
            self.writer = JournalWriter(
                held.folder(JOURNAL),
                node=held.node,
                notify=lambda call: call(),
                observe=lambda event: None,
            )
        self.held = DataFolder.open(folder / "data", "console")
        self.side = ConsoleSide(
            self.held, one_machine(self.held), keeper.start(), address="", answer_url=None
        )
        self.calls = []
        fetcher: Any = self.side.accounts.fetcher
        fetcher.ended = lambda sid, account, _at: self.calls.append(sid)

    async def fold(self, *records):
        """What the browser of somebody who looks at the page Now is told of records."""
        await self.side.open()
        await self.side.start()
        try:
            answer: Any = self.side.pages.feed._answer(_request(), NOW)
            chunks = answer.body_iterator
            async with asyncio.timeout(PATIENCE_S), contextlib.aclosing(chunks):
                await anext(chunks)
                for kind, body in records:
                    self.writer.append(kind, time.time_ns() // 1_000_000, body)
                assert await asyncio.to_thread(self.writer.flush, PATIENCE_S)
                reach = self.side.folder.reach
                assert await asyncio.to_thread(reach, len(records), PATIENCE_S)
                async for chunk in chunks:
                    if b"event: tail" in chunk:
                        return chunk.decode()
        finally:
            await self.side.stop()
            self.writer.close(PATIENCE_S)
            self.held.close()


def _request():
    return Request(
        {"type": "http", "method": "GET", "path": "/feed", "query_string": b"page=now",
         "headers": [], "server": ("127.0.0.1", 80), "scheme": "http"}
    )  # fmt: skip


def stream(status, call="c1"):
    now_us = time.time_ns() // 1000
    return RecordKind.PASSTHRU, encode(receipt(query(call, "s1", status), received_us=now_us))


def spans_in(receiver):  # noqa: F811
    found = Counter()
    for _, _, said in receiver.asked:
        assert isinstance(said, ExportTraceServiceRequest)
        for each in said.resource_spans:
            found.update(span.name for scope in each.scope_spans for span in scope.spans)
    return found


def test_one_passthru_is_read_once_for_store_feed_call_ends_and_traces(
    tmp_path, counted, receiver: Receiver  # noqa: F811
):  # fmt: skip
    console = Console(tmp_path, receiver.server_port)
    record = stream("completed")
    counted.clear()
    tail = asyncio.run(console.fold(record))
    assert counted == {"decode receipt": 1, "read passthru": 1, "classify": 1}
    assert "/calls/c1" in tail
    assert console.calls == ["c1"]
    assert spans_in(receiver) == {"passthru default": 1, "stream": 1, "call": 1}


def test_a_stream_told_of_again_in_the_same_batch_is_not_read_again(
    tmp_path, counted, receiver: Receiver  # noqa: F811
):  # fmt: skip
    """Its verdict is a new one: that on both receipts together."""
    console = Console(tmp_path, receiver.server_port)
    records = stream("in-progress"), stream("completed")
    counted.clear()
    asyncio.run(console.fold(*records))
    assert counted == {"decode receipt": 2, "read passthru": 2, "classify": 3}
    assert console.calls == ["c1"]


def test_a_callback_is_read_once_and_counters_by_the_store_alone(
    tmp_path, counted, receiver: Receiver  # noqa: F811
):  # fmt: skip
    console = Console(tmp_path, receiver.server_port)
    body = b"CallSid=c7&Status=completed"
    callback = encode(StatusReceived(time.time_ns() // 1000, "main", body, FORM))
    records = (
        (RecordKind.STATUS, callback),
        (RecordKind.COUNTERS, encode(Counters({"answered": 1}))),
        stream("completed"),
    )
    counted.clear()
    asyncio.run(console.fold(*records))
    assert (counted["decode callback"], counted["parse callback"]) == (1, 1)
    assert (counted["decode receipt"], counted["read passthru"]) == (1, 1)
    assert sorted(console.calls) == ["c1", "c7"]
    assert spans_in(receiver)["status callback"] == 1


def test_its_own_files_are_looked_at_before_an_alert_of_them_could_end(tmp_path):
    console = Console(tmp_path, 1)
    (console.held.path / "erasures.json").write_bytes(b"{")

    async def figure():
        await console.side.open()
        alerting = console.side.monitoring.alerting
        alerting.step()
        known = {each.name: each.value for each in alerting.figures}["files.damaged"]
        await console.side.stop()
        return known

    try:
        assert asyncio.run(figure()) == 1
    finally:
        console.writer.close(PATIENCE_S)
        console.held.close()
