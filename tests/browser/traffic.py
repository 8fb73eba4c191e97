"""A day of traffic, written into a journal as the answer side would write it."""

from __future__ import annotations

import random
import time
from urllib.parse import urlencode

import msgspec

from patience import PATIENCE_S
from switchhook.exotel.cause import judge
from switchhook.journal import JournalWriter
from switchhook.journal.receipt import (
    WAITING,
    Counters,
    Receipt,
    RecordKind,
    Sample,
    encode,
    read_passthru,
)
from switchhook.rules.decide import Decision, Option

HOSTS = ("voice.acme.example", "asha.bots.example", "tamil.bots.example")
HOSTILE = (
    "<script>document.title='hit'</script>",
    '"><img src=x onerror="document.title=\'hit\'">',
    "\u202egnp.exe\u2066",
    "a" * 65_000,
    "=cmd|' /C calc'!A0",
    "\x00\x07\x1b[31m\r\n",
    "{{ 7 * 7 }}",
    "javascript:document.title='hit'",
)
FAILURE = "3009 failed to establish ws conn dial tcp 10.0.4.17:8443: connect: connection refused"
SECRET_RELEASE = "3fa9c1d2e4f5" + "0" * 52


class Traffic:
    """Passthrus of made-up calls; the same ones each time."""

    def __init__(self, writer: JournalWriter) -> None:
        self._chance = random.Random(4)
        self.writer = writer

    def sid(self) -> str:
        return "".join(self._chance.choice("0123456789abcdef") for _ in range(32))

    def tell(
        self, cause: str = "bot", at: float | None = None, endpoint="reception", **more
    ) -> str:
        """Have a passthru kept, as the answer side would; gives its CallSid."""
        at = time.time() if at is None else at
        call: str = more.pop("call", self.sid())
        stream = {
            "StreamSID": more.pop("stream", "") or self.sid(),
            "StreamUrl": f"wss://{more.pop('host', HOSTS[0])}/media",
            **_STREAMS[cause],
        }
        number = more.pop(
            "number", "098" + "".join(self._chance.choice("0123456789") for _ in "8" * 8)
        )
        pairs = [("CallSid", call), ("CallFrom", number), ("CallTo", "08047112233")]
        pairs += [("Created", _ist(at - 40)), ("StartTime", _ist(at - 38)), *more.items()]
        pairs += [(f"Stream[{key}]", text) for key, text in stream.items()]
        self.keep(urlencode(pairs).encode(), at, endpoint)
        return call

    def keep(self, raw: bytes, at: float, endpoint: str) -> None:
        receipt = Receipt(
            received_us=int(at * 1_000_000),
            endpoint=endpoint,
            method="GET",
            raw=raw,
            decision=Decision(Option.A, "all went well", SECRET_RELEASE, "no rule matched"),
            http_status=200,
            decided_in_us=250,
        )
        if judge(read_passthru(receipt)).cause in ("throttled", "connect_failed", "bot_dropped"):
            decision = Decision(Option.B, "it went wrong", SECRET_RELEASE, "rule matched")
            receipt = msgspec.structs.replace(receipt, decision=decision, http_status=302)
        self.writer.append(RecordKind.PASSTHRU, int(at * 1000), encode(receipt))

    def refuse(self, sample: Sample, at: float) -> None:
        """Have a sample of a refused request kept."""
        self.writer.append(RecordKind.SAMPLE, int(at * 1000), encode(sample))

    def fill(self) -> None:
        """A day of traffic, the last quarter of an hour of it with a bot that refuses."""
        now = time.time()
        for minute in range(1500, 0, -1):
            at = now - minute * 60 + 1
            for _ in range(3 if minute < 60 else 1):
                host = self._chance.choice(HOSTS)
                cause = self._chance.choice(("bot", "bot", "user", "early"))
                if minute < 15 and host == HOSTS[0]:
                    cause = "refused"
                self.tell(cause, at + self._chance.random() * 50, host=host)
        for minute in range(10, -1, -1):
            counted = {"answered": 40, "answer_ms <= 1": 30, "answer_ms <= 25": 10}
            counters = Counters(counted, {WAITING: 3})
            self.writer.append(
                RecordKind.COUNTERS, int((now - minute * 60) * 1000), encode(counters)
            )
        for reason in ("secret wrong", "secret missing"):
            raw = b"CallSid=9c1e52a0&CallFrom=09811117777&Stream[Status]=failed&secret=fp_9a"
            self.refuse(Sample("reception", reason, raw, "203.0.113.9"), now - 60)
        for text in HOSTILE:
            self.refuse(Sample("sales", "secret wrong", text.encode("utf-8", "replace"), None), now)
            pairs = [("CallSid", self.sid()), ("CallFrom", text[:2000]), ("CustomField", text)]
            pairs += [("Stream[StreamSID]", self.sid()), ("Stream[Status]", "failed")]
            pairs += [("Stream[Error]", text), ("Stream[StreamUrl]", "wss://" + text[:100])]
            pairs += [("Stream[RecordingUrl]", text), (text[:200], text)]
            self.keep(urlencode(pairs).encode("utf-8", "replace"), now, "sales")
        assert self.writer.flush(PATIENCE_S)


_STREAMS = {
    "bot": {"Status": "completed", "Duration": "31", "DisconnectedBy": "bot"},
    "user": {"Status": "completed", "Duration": "12", "DisconnectedBy": "user"},
    "early": {"Status": "cancelled", "Duration": "0", "DisconnectedBy": "user"},
    "refused": {"Status": "failed", "Duration": "0", "Error": FAILURE},
    "throttled": {"Status": "failed", "DetailedStatus": "Streaming_call_throttled"},
    "running": {"Status": "in-progress"},
}


def _ist(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at + 19_800))
