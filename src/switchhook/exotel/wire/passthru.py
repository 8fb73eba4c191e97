"""The passthru request in every dialect that senders use, read by `parse`.

It is total. Texts come out as sent but for blanks and quotes around them; what is odd is a
`Defect`; what has no field is in `extra`. The way back is `build`, next door.
"""

from __future__ import annotations

import re
from typing import Any

from switchhook.exotel.passthru import Defect, Dialect, Leg, Passthru, Stream
from switchhook.exotel.wire import keys
from switchhook.exotel.wire.json_object import TWICE, flatten, parse_object, parse_value
from switchhook.exotel.wire.keys import ParameterKind, Slot, Spelling, find_slot, slot_of
from switchhook.exotel.wire.mend import mend
from switchhook.exotel.wire.query import decode_again, parse_pairs
from switchhook.exotel.wire.request import Request, body_pairs, is_json, is_multipart
from switchhook.exotel.wire.scalar import clean

_LOST_PLUS = re.compile(r"\s* [1-9][0-9]{6,}\s*\Z")
_CALL, _STREAM, _NUMBER, _EXTRA = (
    ParameterKind.CALL,
    ParameterKind.STREAM,
    ParameterKind.NUMBER,
    ParameterKind.EXTRA,
)
_NULL = len("null")
_ORDINARY = 4096  # bytes; real requests have about 1,000
_PHONES = {"forwarded_from", "dial_whom_number", "outgoing_number", "number", "caller_id"}


def parse(request: Request, *, region: str = "IN") -> Passthru:
    """Read a passthru from a request; never raises, for any bytes."""
    return _Reading(request).passthru(region)


class _Reading:
    """One pass over the pairs of a request, then the choices that need all of them."""

    __slots__ = (
        "bare",
        "call",
        "defects",
        "extra",
        "find",
        "json_stream",
        "json_texts",
        "legs",
        "numbers",
        "pairs",
        "problems",
        "request",
        "spelling",
        "stream",
        "twice",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        # A flood of keys never seen before would turn the known ones out of the cache.
        ordinary = len(request.query) + len(request.body) <= _ORDINARY
        self.find = slot_of if ordinary else find_slot
        self.problems: list[str] = []
        self.defects: list[Defect] = []
        self.call: dict[str, str] = {}
        self.numbers: dict[str, tuple[str, str]] = {}
        self.stream: dict[str, str] = {}
        self.bare: dict[str, list[tuple[str, str]]] = {}
        self.legs: dict[int, tuple[dict[str, str], list[tuple[str, str]]]] = {}
        self.extra: list[tuple[str, str]] = []
        self.json_stream: list[tuple[str, str | None]] = []
        self.json_texts: list[tuple[str, str]] = []
        self.spelling = Spelling.PLAIN
        self.pairs = parse_pairs(mend(request.query, self.problems), self.problems)
        if request.body:
            self.pairs = self.pairs + body_pairs(request, self.problems)
        # Only what holds an escaped `%` can have been encoded twice.
        self.twice = (b"%25" in request.query or b"%" in request.body) and self._encoded_twice()
        self._take_all()

    def _encoded_twice(self) -> bool:
        """A key that is still escaped, and whole once unescaped, means a request encoded twice."""
        return any(self.find(key).spelling & Spelling.TWICE for key, _ in self.pairs if "%" in key)

    def _take_all(self) -> None:
        """Each pair to its place. The longest loop while a caller waits, so written for speed."""
        call, stream, extra, twice = self.call, self.stream, self.extra, self.twice
        find = self.find
        for key, value in self.pairs:
            slot = find(key)
            kind, name = slot[0], slot[1]
            if twice and "%" in value:
                value = decode_again(value)
            if slot[2]:
                self._spelt(slot)
            if kind is _CALL or kind is _STREAM:
                if value[:1] == " ":
                    value = self._phone(slot, value)
                plain = value.isalnum() or (
                    value.isascii() and value[:1] > '"' and value[-1:] > " "
                )  # nothing to trim or to unquote
                text = value if plain and len(value) != _NULL else clean(value)
                if text is None:
                    continue
                fields = call if kind is _CALL else stream
                if name in fields:
                    self._repeated(slot, fields[name], text)
                else:
                    fields[name] = text
            elif kind is _EXTRA:
                text = value.strip()
                if text or slot.key:
                    extra.append((slot.key, text))
            elif kind is _NUMBER:
                text = clean(value if value[:1].isdigit() else self._phone(slot, value))
                # Both pairs usually come; which one counts is known only at the end.
                if text is not None:
                    pair = (slot.key, text)
                    extra.append(pair)
                    self.numbers.setdefault(name, pair)
            else:
                self._take(slot, value)

    def _spelt(self, slot: Slot) -> None:
        self.spelling |= slot.spelling
        if slot.spelling & Spelling.UNPAIRED and slot.name:
            self._note(slot.key, "brackets that don't pair")

    def _take(self, slot: Slot, value: str) -> None:
        match slot.kind:
            case ParameterKind.BARE:
                text = clean(value)
                if text is not None:
                    self.extra.append((slot.key, text))
                    self.bare.setdefault(slot.name, []).append((slot.key, text))
            case ParameterKind.STREAM_JSON:
                self._take_json(slot, value)
            case ParameterKind.LEG:
                self._take_leg(slot, value)
            case _:
                self._take_legs_json(slot, value)

    def _repeated(self, slot: Slot, first: str, text: str) -> None:
        self.extra.append((slot.key, text))
        said = "again, with another value; the first counts" if text != first else "said twice"
        self._note(slot.key, said)

    def _phone(self, slot: Slot, value: str) -> str:
        """Restore the `+` that form decoding turned into a blank, or that is still escaped."""
        if slot.kind is ParameterKind.CALL and slot.name not in _PHONES:
            return value
        if _LOST_PLUS.match(value):
            self._note(slot.key, "a '+' that was not percent-encoded was read as a blank; restored")
            return "+" + value.strip()
        if value[:3].upper() == "%2B":
            self._note(slot.key, "percent-encoded twice")
            return decode_again(value)
        return value

    def _take_json(self, slot: Slot, value: str) -> None:
        if clean(value) is None:
            return
        problems: list[str] = []
        members = parse_object(value, problems)
        for problem in problems:
            self._note("stream", problem)
        if TWICE in problems:
            self.spelling |= Spelling.TWICE
        if members is None:
            self.extra.append((slot.key, value.strip()))
            return
        if self.json_texts:
            self._note("stream", "JSON said twice; the first counts")
        self.json_stream += members
        self.json_texts.append((slot.key, value.strip()))

    def _take_leg(self, slot: Slot, value: str) -> None:
        text = clean(self._phone(slot, value)) if slot.name in _PHONES else clean(value)
        if not slot.name:
            text = value.strip()
        if text is None:
            return
        fields, rest = self.legs.setdefault(slot.leg, ({}, []))
        if slot.name:
            if slot.name in fields:
                self._repeated(slot, fields[slot.name], text)
            else:
                fields[slot.name] = text
        else:
            rest.append((slot.rest, text))

    def _take_legs_json(self, slot: Slot, value: str) -> None:
        if clean(value) is None:
            return
        found = parse_value(value)
        pairs = flatten(slot.key.strip(), found) if isinstance(found, list) else []
        slots = [(self.find(key), text) for key, text in pairs]
        if not slots or any(leg.kind is not ParameterKind.LEG for leg, _ in slots):
            self._note("legs", "neither an array of objects nor an object of them; kept as text")
            self.extra.append((slot.key, value.strip()))
            return
        for leg, text in slots:
            self._take_leg(leg, text)

    def _note(self, field: str, problem: str) -> None:
        self.defects.append(Defect(field[:80], problem))

    def passthru(self, region: str) -> Passthru:
        self._adopt_bare()
        stream = self._stream()
        call: dict[str, Any] = self.call  # its names are fields
        noted = self.defects
        if self.problems:
            noted = [*(Defect("request", problem) for problem in self.problems), *noted]
        return Passthru(
            **call,
            from_raw=self._chosen("callfrom", "from"),
            to_raw=self._chosen("callto", "to"),
            legs=self._legs() if self.legs else (),
            stream=stream,
            extra=tuple(self.extra),
            dialect=self._dialect(),
            region=region,
            noted=tuple(noted),
        )

    def _chosen(self, first: str, second: str) -> str | None:
        """The better of two names for one number; it leaves `extra`, the other stays."""
        sent = self.numbers.get(first) or self.numbers.get(second)
        if sent is None:
            return None
        self.extra.remove(sent)
        return sent[1]

    def _adopt_bare(self) -> None:
        """Give the stream's bare names to the stream where they can mean nothing else.

        A bare Status belongs to the agent or the call unless the request also has a bare name that
        only a stream has, no call status and no agent; so do Duration and RecordingUrl.
        """
        bare, call = self.bare, self.call
        if not bare:
            return
        agents = "event_type" in call or "agent_email" in call
        whole = "call_status" not in call and (
            "sid" in bare or (not agents and not _STREAMS_OWN.isdisjoint(bare))
        )
        names = {
            key: name
            for name, said in bare.items()
            if whole or name not in _SHARED
            for key, _ in said
        }
        if names:
            self._adopt_for_stream(names)
        if not whole and "status" in bare:
            sent = bare["status"][0]
            on_line = keys.fold(call.get("event_type", "")) == "dial"
            field = "agent_status" if on_line or "agent_email" in call else "call_status"
            if field not in call:
                call[field] = sent[1]
                self.extra.remove(sent)
        if whole and "recording_url" in call and "recording_url" not in self.stream:
            self.stream["recording_url"] = call.pop("recording_url")
            # What was said again goes with it, or it would be the call's when built and parsed.
            self.extra = [
                ("Stream[RecordingUrl]" if self._is_recording(key) else key, text)
                for key, text in self.extra
            ]

    def _is_recording(self, key: str) -> bool:
        return self.find(key)[:2] == (_CALL, "recording_url")

    def _adopt_for_stream(self, names: dict[str, str]) -> None:
        """The first of a bare name becomes the stream's; others stay, under their full name.

        `names` are the fields by the keys as sent.
        """
        kept = []
        for key, text in self.extra:
            name = names.get(key)
            if name is None:
                kept.append((key, text))
            elif name not in self.stream:
                self.stream[name] = text
            else:
                kept.append((f"Stream[{keys.STREAM_KEYS[name]}]", text))
                if self.stream[name] != text:
                    self._note(key, "again, with another value; the first counts")
        self.extra = kept

    def _stream(self) -> Stream | None:
        said = self._merge_json() if self.json_texts else self.stream
        if not said:
            return None
        get = said.get
        return Stream(
            sid=get("sid"),
            status=get("status"),
            duration_raw=get("duration_raw"),
            url=get("url"),
            recording_url=get("recording_url"),
            disconnected_by_raw=get("disconnected_by_raw"),
            detailed_status=get("detailed_status"),
            error=get("error"),
            disposition=get("disposition"),
        )

    def _merge_json(self) -> dict[str, str]:
        """Flat wins; what only the JSON says counts too, unless it is about another stream."""
        said: dict[str, str] = {}
        rest: list[tuple[str, str]] = []
        for key, value in self.json_stream:
            slot = self.find(f"Stream[{key}]")
            known = slot.kind is ParameterKind.STREAM
            text = None if value is None else clean(value) if known else value.strip()
            if text is None:
                continue
            if known and slot.name not in said:
                said[slot.name] = text
            else:
                rest.append((slot.key, text))
        flat = self.stream
        for name in sorted(flat.keys() & said.keys()):
            if flat[name] != said[name]:
                field = f"stream.{name.removesuffix('_raw')}"
                self._note(field, "the flat form and JSON differ; the flat form counts")
        if "sid" in flat and said.get("sid", flat["sid"]) != flat["sid"]:
            self.extra += self.json_texts
            return flat
        self.extra += rest
        return said | flat

    def _legs(self) -> tuple[Leg, ...]:
        return tuple(
            Leg(
                index=index,
                number=fields.get("number"),
                type=fields.get("type"),
                on_call_duration_raw=fields.get("on_call_duration_raw"),
                cause=fields.get("cause"),
                cause_code=fields.get("cause_code"),
                caller_id=fields.get("caller_id"),
                disconnected_by=fields.get("disconnected_by"),
                extra=tuple(rest),
            )
            for index, (fields, rest) in sorted(self.legs.items())
        )

    def _dialect(self) -> Dialect:
        request, spelling = self.request, self.spelling
        if request.body:
            if is_multipart(request):
                return Dialect.POST_MULTIPART
            return Dialect.POST_JSON if is_json(request) else Dialect.POST_FORM
        if request.method == "POST":
            return Dialect.POST_QUERY
        if self.json_texts and self.stream:
            return Dialect.MIXED
        if spelling is not Spelling.PLAIN:
            for mark, dialect in _SPELLINGS:
                if spelling & mark:
                    return dialect
        if self.json_texts:
            return Dialect.JSON
        if "sid" in self.bare or "url" in self.bare:
            return Dialect.BARE
        return Dialect.RAW_BRACKET if b"[" in request.query else Dialect.FLAT


_SHARED = {"status", "duration_raw"}
_STREAMS_OWN = {"url", "disconnected_by_raw", "detailed_status"}
"""Bare names that neither a call nor an agent has."""
_SPELLINGS = (
    (Spelling.TWICE, Dialect.DOUBLE_ENCODED),
    (Spelling.DOTTED, Dialect.DOTTED),
    (Spelling.SNAKE, Dialect.SNAKE_CASE),
    (Spelling.LOWER, Dialect.LOWER_CASE),
)
