"""Receipts that tests of stores keep."""

from kept_receipts import query, receipt

ALL = 2**60
"""Later than any of them, in ms."""


def mixed():
    """Receipts of many kinds: several of one stream, ids missing, words unknown, a HEAD, a repeat."""  # noqa: E501
    throttled = query("c3", None, "failed", DetailedStatus="Streaming_call_throttled")
    return [
        receipt(query("c1", "s1", "in-progress")),
        receipt(query("c1", "s2", "completed", DisconnectedBy="bot", Duration="28")),
        receipt(query("c1", "s1", "completed", DisconnectedBy="user"), endpoint="sales"),
        receipt(query("c2", None, "cancelled", DisconnectedBy="user")),
        receipt(throttled),
        receipt(query("c4", "s4", "Parked")),
        receipt(query("c5", "s5", "in-progress")),
        receipt(query("c5", "s5", "Parked")),
        receipt(query("c6", "s6"), method="HEAD"),
        receipt(query("c1", "s2", "completed"), repeat_of="x"),
        receipt(b"CallSid=c7&CallType=call-attempt"),
    ]


def inbound(raw, caller="09876543210"):
    return raw + f"&CallFrom={caller}&CallTo=08047112233&Direction=incoming".encode()
