"""A journal in which records are changed or gone, as after an erasure or retention."""

import msgspec

from kept_receipts import query, receipt

NUMBER = "+919876543210"
"""Whose it is, in any spelling below."""


class Journal:
    """A journal in which records are changed or gone, as after an erasure or retention."""

    def __init__(self, reader):
        self._reader = reader
        self.changed, self.gone = {}, set()

    def __getattr__(self, name):
        return getattr(self._reader, name)

    def _now(self, records):
        return [self.changed.get(r.seq, r) for r in records if r.seq not in self.gone]

    def read(self, after_seq, limit):
        return self._now(self._reader.read(after_seq, limit))

    def get_many(self, seqs):
        return {r.seq: r for r in self._now(self._reader.get_many(seqs).values())}

    def mask(self, *seqs):
        for record in self._reader.get_many(seqs).values():
            body = record.body.replace(b"9876543210", b"erasedxxxx")
            assert body != record.body
            self.changed[record.seq] = msgspec.structs.replace(record, body=body)


def inbound(n, caller, status="completed", sid=None, **more):
    raw = query(f"c{n}", sid or f"s{n}", status, StreamUrl="wss://a.example/x", **more)
    return receipt(raw + f"&CallFrom={caller}&CallTo=08047112233&Direction=incoming".encode())
