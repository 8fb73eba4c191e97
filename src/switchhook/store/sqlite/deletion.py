"""Taking rows out of a store: what is to be folded anew, what is too old, what names a number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from switchhook.exotel.number_keys import number_keys, split_number
from switchhook.exotel.spellings import Spellings
from switchhook.exotel.times import HOUR_MS, MINUTE_MS
from switchhook.sqlite_file import CHUNK, RawFile
from switchhook.store.buckets import bucket_of, by_bucket
from switchhook.store.digest import CALL, STREAM, caller_keys_of, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import apsw

    from switchhook.exotel.spellings import ErasedNumber

_FOLDED = ("receipt", "stream", "event", "quarantine")
_BY_SEQ = (*_FOLDED, "late", "one_copy", "displaced", "turn")
_BY_BUCKET = ("mention", "caller", "stream_key")
_AROUND = 32  # bytes beside some digits that tell whether they are a number of their own
_OVERLAP = 256

_IN = "seq IN (SELECT value FROM json_each(?))"


def of_same_calls(connection: apsw.Connection, seqs: Iterable[int]) -> list[int]:
    """These receipts and all others of their calls and streams, ascending."""
    found = set(seqs)
    keys: set[int] = set()
    for bucket, members in by_bucket(found):
        rows = connection.execute(
            f"SELECT key FROM mention WHERE bucket = ? AND {_IN}",  # noqa: S608 - our words
            (bucket, json.dumps(members)),
        )
        keys.update(key for (key,) in rows if kind_of(key) in (CALL, STREAM))
    for key in keys:
        for bucket in _buckets(connection):
            rows = connection.execute(
                "SELECT seq FROM mention WHERE bucket = ? AND key = ?", (bucket, key)
            )
            found.update(seq for (seq,) in rows)
    return sorted(found)


def take_out(connection: apsw.Connection, seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Delete all rows of some records; gives facet and time of the streams among them."""
    asked = json.dumps(list(seqs))
    sql = f"SELECT facet, at FROM stream WHERE {_IN}"  # noqa: S608 - our words
    streams = [(facet, at) for facet, at in connection.execute(sql, (asked,))]
    for table in _FOLDED:  # what others say of a record, as that it was late, stays true
        connection.execute(f"DELETE FROM {table} WHERE {_IN}", (asked,))  # noqa: S608 - our words
    for bucket, members in by_bucket(seqs):
        for table in _BY_BUCKET:
            connection.execute(
                f"DELETE FROM {table} WHERE bucket = ? AND {_IN}",  # noqa: S608 - our words
                (bucket, json.dumps(members)),
            )
    return streams


def drop_before(connection: apsw.Connection, seq: int, at: int) -> list[tuple[int, int]]:
    """Delete everything before a record and its time; gives facet and time of the streams."""
    rows = connection.execute("SELECT facet, at FROM stream WHERE seq < ?", (seq,))
    streams = [(facet, first_at) for facet, first_at in rows]
    for table in _BY_SEQ:
        connection.execute(f"DELETE FROM {table} WHERE seq < ?", (seq,))  # noqa: S608 - our words
    for table in _BY_BUCKET:
        connection.execute(
            f"DELETE FROM {table} WHERE bucket < ?",  # noqa: S608 - our words
            (bucket_of(seq),),
        )
        connection.execute(
            f"DELETE FROM {table} WHERE bucket = ? AND seq < ?",  # noqa: S608 - our words
            (bucket_of(seq), seq),
        )
    connection.execute("DELETE FROM form WHERE hour < ?", (at - at % HOUR_MS,))
    connection.execute("DELETE FROM rule_hour WHERE hour < ?", (at - at % HOUR_MS,))
    connection.execute("DELETE FROM rule WHERE last_at < ?", (at - at % HOUR_MS,))
    connection.execute("DELETE FROM count WHERE minute < ?", (at - at % MINUTE_MS,))
    return streams


def drop_unused_facets(connection: apsw.Connection) -> None:
    """Delete the facets that nothing is counted or listed under any more."""
    connection.execute(
        "DELETE FROM facet WHERE streams = 0"
        " AND NOT EXISTS (SELECT 1 FROM receipt WHERE receipt.facet = facet.id)"
        " AND NOT EXISTS (SELECT 1 FROM stream WHERE stream.facet = facet.id)"
    )


def records_of_number(connection: apsw.Connection, number: str) -> list[int]:
    """The seqs of records that are known to name a number in E.164, ascending."""
    found: set[int] = set()
    for key in caller_keys_of(number):
        for bucket in _buckets(connection):
            rows = connection.execute(
                "SELECT seq FROM caller WHERE bucket = ? AND digits = ?", (bucket, key)
            )
            found.update(seq for (seq,) in rows)
    for table in ("receipt", "stream"):
        rows = connection.execute(
            f"SELECT seq FROM facet CROSS JOIN {table} ON {table}.facet = facet.id"  # noqa: S608 - our words
            " WHERE exophone = ?",
            (number,),
        )
        found.update(seq for (seq,) in rows)
    return sorted(found)


def count_in_files(path: Path, number: ErasedNumber) -> int:
    """How often a number stands in the bytes of a store's file and its log, used or not."""
    spellings, national = Spellings(number), split_number(number.e164)[1].encode()
    backwards = number_keys(number.e164)[1].encode()
    count = 0
    for file in (path, Path(f"{path}-wal")):
        if not file.exists():
            continue
        with RawFile(file) as raw:
            for index, part in enumerate(raw.chunks(_OVERLAP)):
                # What stands in two parts is counted in the one that has what is around it.
                inside = range(_AROUND if index else 0, CHUNK + _AROUND)
                count += sum(place in inside for place in _places(part, backwards))
                for place in _places(part, national):
                    end = place + len(national)
                    # Before a key of ours there is any byte, which may look like a digit.
                    key = part[end : end + 1] == b"+"
                    around = part[max(place - _AROUND, 0) : end + _AROUND]
                    count += place in inside and (key or spellings.count(around) > 0)
    return count


def _places(text: bytes, part: bytes) -> Iterator[int]:
    place = text.find(part)
    while place >= 0:
        yield place
        place = text.find(part, place + 1)


def _buckets(connection: apsw.Connection) -> range:
    last: int = connection.execute("SELECT seq FROM progress").get
    return range(bucket_of(last) + 1)
