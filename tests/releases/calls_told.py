"""Calls of a rollout as the journal tells of them, for what watches rollouts."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from kept_receipts import START_MS, receipt
from switchhook.journal.receipt import (
    AddressGiven,
    AdmissionGiven,
    BotReportReceived,
    Late,
    Receipt,
    RecordKind,
    StatusReceived,
    encode,
)
from switchhook.journal.segment import Record
from switchhook.rules.decide import Decision, Option
from switchhook.rules.rollout import Rollout, RolloutSeen, seen_by
from switchhook.rules.routing import Route
from switchhook.streams.parsed_record import parse_record

HASH = "c" * 64
CANARY, CONTROL = RolloutSeen(7, HASH, 5_000, 100), RolloutSeen(7, HASH, 5_000, 9_000)
DIAL = {"DialCallStatus": "completed", "DialCallDuration": "31"}


class Calls:
    """Records in the journal's order, each handed to `take` at once; `now` in ms."""

    def __init__(self, take):
        self.take, self.now, self.seq = take, START_MS, 0
        self.records: list[Record] = []
        self.told: list[object] = []

    def keep(self, kind, body):
        self.seq += 1
        record = Record(self.seq, kind, self.now, self.now, None, None, encode(body))
        self.records.append(record)
        found = self.take(parse_record(record), {})
        self.told += found or []
        return found

    def raw(self, call, number="09876543210", direction="incoming", **more):
        return urlencode(
            {"CallSid": call, "CallFrom": number, "Direction": direction, **more}
        ).encode()

    def base(self, raw, seen, endpoint, **changes):
        return receipt(raw, endpoint=endpoint, rollout=seen, received_us=self.now * 1000, **changes)

    def asks_bot(self, call, seen=CANARY, *, number="09876543210", pools=None, **changes):
        """A voicebot endpoint's request, as answered."""
        changes.setdefault("decision", Decision(Option.A, "default", HASH, "", pool="sales"))
        base = self.base(self.raw(call, number), seen, "bot", **changes)
        route = Route(pool="sales", key=call, member="a")
        body = AddressGiven(**msgspec.structs.asdict(base), route=route, pools_rollout=pools)
        return self.keep(RecordKind.VOICEBOT, body)

    def asks_room(self, call, seen=CANARY, *, number="09876543210", admitted=True):
        base = self.base(self.raw(call, number), seen, "gate")
        option = Option.A if admitted else Option.B
        fields = {
            **msgspec.structs.asdict(base),
            "decision": Decision(option, "default", HASH, "no rule matched"),
        }
        return self.keep(RecordKind.ADMISSION, AdmissionGiven(**fields, admitted=admitted))

    def passes(self, call, seen=None, *, number="09876543210", stream=None, **more):
        """A passthru; `stream` are its parameters."""
        changes = {key: more.pop(key) for key in Receipt.__struct_fields__ if key in more}
        said = {f"Stream[{key}]": text for key, text in (stream or {}).items()}
        raw = self.raw(call, number, **said, **more)
        return self.keep(RecordKind.PASSTHRU, self.base(raw, seen, "after", **changes))

    def ends(self, call, how="well", *, sid=None, seconds=40, seen=None, **more):
        """A stream's end, told by a passthru."""
        told = {
            "well": {"Status": "completed", "DisconnectedBy": "bot", "Duration": str(seconds)},
            "left": {"Status": "completed", "DisconnectedBy": "user", "Duration": str(seconds)},
            "early": {"Status": "cancelled"},
            "failed": {"Status": "failed", "Error": "3009 failed to establish ws conn"},
            "throttled": {"Status": "failed", "DetailedStatus": "Streaming_call_throttled"},
        }[how]
        stream = {"StreamSID": sid or f"s-{call}", **told}
        return self.passes(call, seen, stream=stream, **more)

    def reports(self, call, event):
        raw = msgspec.json.encode({"call_sid": call, "event": event})
        return self.keep(RecordKind.BOT_REPORT, BotReportReceived(self.now * 1000, "bot", raw))

    def calls_back(self, call, status="completed"):
        raw = urlencode({"CallSid": call, "Status": status}).encode()
        form = "application/x-www-form-urlencoded"
        return self.keep(RecordKind.STATUS, StatusReceived(self.now * 1000, "main", raw, form))

    def late(self, seq):
        return self.keep(RecordKind.LATE, Late(seq, 1200))

    def later(self, ms):
        self.now += ms


def side(rollout: Rollout, number: str) -> RolloutSeen:
    """On which side a caller is, as the answer process draws it."""
    return seen_by(rollout, number)
