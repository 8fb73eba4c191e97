"""Requests that were refused, of which samples are kept: why, in words, and what each would say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import judge
from switchhook.exotel.phone_numbers import counted
from switchhook.exotel.wire.passthru import parse
from switchhook.exotel.wire.request import Request
from switchhook.journal.receipt import Sample
from switchhook.streams.json import passthru_json
from switchhook.web.json import text_of, time_of

if TYPE_CHECKING:
    from switchhook.exotel.passthru import Passthru
    from switchhook.web.json import Json

LONGEST_KEPT = 4096
"""Bytes of a request's query that a sample keeps."""

_WORDS = {
    "secret wrong": "its secret is none of this endpoint's: the URL in the applet has an old, a cut"
    " or an altered one",
    "secret missing": "it has no secret: the URL in the applet was cut, or is that of before",
    "not loopback": "this endpoint is open, so it answers programs on its own machine alone, and"
    " this one came through a proxy or from elsewhere",
}


class RefusedRequest(msgspec.Struct, frozen=True):
    """A sample of them: when it came, by the record `seq` of the journal.

    `passthru` is what it would have said; None where its head could not be read, of which the first
    bytes alone are kept.
    """

    seq: int
    at_ms: int
    sample: Sample
    passthru: Passthru | None

    @property
    def why(self) -> str:
        """Why it was refused, in words."""
        known = _WORDS.get(self.sample.reason)
        return known or f"it is no readable HTTP: {self.sample.reason}"

    @property
    def cut(self) -> bool:
        """Whether there may be more of it than is kept."""
        return self.passthru is None or len(self.sample.raw) >= LONGEST_KEPT

    @property
    def text(self) -> str:
        """The request as it came, secrets replaced."""
        return text_of(self.sample.raw)


def refused_request(seq: int, at_ms: int, sample: Sample) -> RefusedRequest:
    """Read a sample; whatever it holds, it is only read in part at the worst."""
    passthru = parse(Request(sample.raw)) if sample.endpoint else None
    return RefusedRequest(seq, at_ms, sample, passthru)


def refused_json(refused: RefusedRequest) -> Json:
    """One as the API gives it; `passthru` is null where it could not be read."""
    sample, passthru = refused.sample, refused.passthru
    return {
        "at": time_of(refused.at_ms * 1000),
        "endpoint": sample.endpoint or None,
        "reason": sample.reason,
        "why": refused.why,
        "peer": sample.peer,
        "raw": refused.text,
        "cut": refused.cut,
        "passthru": None if passthru is None else passthru_json(passthru),
    }


def said_of(passthru: Passthru) -> list[tuple[str, str]]:
    """What one would have said, in a few lines: the call, whose, how its stream ended, defects."""
    stream = passthru.stream
    ended = "" if stream is None else str(judge(passthru).cause)
    defects = len(passthru.defects)
    lines = [
        ("call", passthru.call_sid or ""),
        ("from", passthru.from_ or passthru.from_raw or ""),
        ("to", passthru.to or passthru.to_raw or ""),
        ("stream", (stream and stream.sid) or ""),
        ("cause", ended),
        ("defects", counted(defects) if defects else ""),
    ]
    return [(name, text) for name, text in lines if text]
