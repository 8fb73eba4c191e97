"""The kinds of records: apart, for those who read no body, such as what hands records over."""

from __future__ import annotations

from enum import IntEnum


class RecordKind(IntEnum):
    """What a record of the journal is. Numbers are kept for ever; new kinds get new ones."""

    LOST = 0
    """The journal's own: how many records before it memory could not hold while the disk failed.

    Its body is JSON: `{"count": …, "first_at": …, "last_at": …}`, times in ms.
    """
    PASSTHRU = 1
    LATE = 2
    """A receipt became durable after its answer had left."""
    TAKEOVER = 3
    """A configuration or rules file was taken over, with its text."""
    CLOCK = 4
    """The system's clock stepped by more than 2 s, or the machine started anew."""
    COUNTERS = 5
    """What the answer process counted since the last such record."""
    SAMPLE = 6
    """A request refused for its secret that looks like a passthru, redacted."""
    STATUS = 7
    """A StatusCallback webhook, as it came."""
    HEARTBEAT = 8
    """A Heartbeat webhook, as it came."""
    TEST = 9
    """A request that an operator's test marked: a receipt that nobody who counts reads."""
    VOICEBOT = 10
    """A dynamic URL's request: a receipt with the address that was given."""
    ADMISSION = 11
    """A passthru of an endpoint of kind admit: a receipt with the room that was seen."""
    BOT_REPORT = 12
    """What a bot reports of one of its streams, as it came."""
    ONE_COPY = 13
    """A receipt of an endpoint that keeps two copies was answered for while it had one."""
