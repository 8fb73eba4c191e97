"""A data folder as programs leave it: a configuration that ran, and receipts by its rules."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from kept_receipts import query, receipt
from patience import PATIENCE_S
from switchhook.config.live import SettingsKeeper
from switchhook.journal import JournalWriter
from switchhook.journal.receipt import Receipt, RecordKind, encode, receipt_id
from switchhook.rules.rules_file import load_rules
from switchhook.streams.decided_again import decide_by
from switchhook.system.data_folder import DataFolder

RULES = """[[rule]]
name = "throttled"
when = 'stream.cause == "throttled"'
option = "B"

[default]
option = "A"
"""
NEW = RULES.replace('"throttled"\'', '"connect_failed"\'')
CONFIG = """
[answer]
listen = "127.0.0.1:8080"
[endpoints.default]
secrets = ["abcdefghijklmnopqrstuvwxyz0123456789"]
rules = "rules.toml"
[endpoints.bots]
kind = "voicebot"
secrets = ["cbcdefghijklmnopqrstuvwxyz0123456789"]
pool = "sales"
[bots.sales.members.a]
url = "wss://a.example.com/x"
weight = 90
[bots.sales.members.b]
url = "wss://b.example.com/x"
weight = 10
"""
THROTTLE = {"status": "failed", "DetailedStatus": "Streaming_call_throttled"}
REFUSE = {"status": "failed", "Error": "3009 dial tcp 192.0.2.1:50: connect: connection refused"}


def write_files(folder: Path) -> None:
    """The configuration, its rules, and others that are to be tried."""
    for name, text in (("switchhook.toml", CONFIG), ("rules.toml", RULES), ("new.toml", NEW)):
        (folder / name).write_text(text)


class ServedFolder:
    """The folder `data` beside the files, as if both programs had run; its journal can be written.

    `close` it at the end.
    """

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        with DataFolder.open(self.data, "answer") as held:
            self.node = held.node
            self._writer = JournalWriter(
                held.folder("journal"),
                node=held.node,
                notify=lambda call: call(),
                observe=lambda event: None,
                synchronous="OFF",
            )
        keeper = SettingsKeeper(self.data, str(folder / "switchhook.toml"), environ=os.environ)
        self.settings = keeper.start()
        self._ruleset = load_rules(RULES, file="")

    def keep(self, each: Receipt, kind: RecordKind = RecordKind.PASSTHRU) -> str:
        """Append a receipt of this moment; its id."""
        at = time.time_ns() // 1_000_000
        body = encode(msgspec.structs.replace(each, received_us=at * 1000))
        seq = self._writer.append(kind, at, body)
        assert seq is not None
        return receipt_id(at, self.node, seq)

    def passthru(self, call: str, **stream: str) -> str:
        """Append a receipt as the running rules would keep it; its id."""
        blank = receipt(query(call, f"s-{call}", **stream))
        found = decide_by(blank, self._ruleset)
        assert found is not None
        return self.keep(msgspec.structs.replace(blank, decision=found.decision))

    def flush(self) -> None:
        """Have all of it durable."""
        assert self._writer.flush(PATIENCE_S)

    def close(self) -> None:
        self._writer.close(5)
