"""Streams and calls, folded from receipts in any order, with any repeats, to the same story.

A story is a join: every part of it is the smallest or the greatest of what its receipts said,
ordered by `order_of` and never by arrival. So `merge` is commutative, associative and idempotent,
and receipts that come late, twice or from another node change nothing but what they add.

How a stream ended is kept apart by the status that was said (a *report*); the most final report
is the story's outcome, and of several final ones the one said first. So a finished stream never
moves back, and two contradicting outcomes are never mixed into a third.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from switchhook.exotel.cause import Cause, Verdict, classify, judge, says_throttled, told_of
from switchhook.exotel.passthru import Defect, Passthru, Stream, StreamStatus
from switchhook.journal.receipt import order_of
from switchhook.streams.claims import Claim, all_said, first_said, last_said, merge_said, text_of
from switchhook.streams.facet import Facet, exophone_of, host_of

if TYPE_CHECKING:
    from switchhook.journal.receipt import Receipt


class ReceiptRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """One receipt as a story remembers it; ordered by its place in the journal, which is its id.

    `rule` is the one that chose the option, `select` the keyword that it gave beside it; `order` is
    what it is ordered by where that is not its id, as among receipts of several nodes.
    """

    id: str
    received_us: int
    endpoint: str
    option: str
    rule: str = ""
    select: str = ""
    order: str = ""

    @property
    def place(self) -> str:
        """What its claims are ordered by: see `order_of`."""
        return self.order or self.id

    def __lt__(self, other: ReceiptRef) -> bool:
        return self._order < other._order

    def __gt__(self, other: ReceiptRef) -> bool:
        return other._order < self._order

    @property
    def _order(self) -> tuple[tuple[int, int, int, str], int, str, str, str]:
        return order_of(self.place), self.received_us, self.endpoint, self.option, self.rule


class ParsedReceipt(msgspec.Struct, frozen=True):
    """What one receipt tells: who, and the passthru as it was read."""

    by: ReceiptRef
    passthru: Passthru


def enters_stories(receipt: Receipt) -> bool:
    """Whether a receipt tells anything of its own: a HEAD request and a repeat don't."""
    return receipt.method != "HEAD" and receipt.repeat_of is None


class StatusReport(msgspec.Struct, frozen=True):
    """What was said of a stream under one status; of each field, what was said first.

    `damaged` is whether every one of its receipts had a `Stream` that could be read in part only.
    """

    state: StreamStatus | None
    first: ReceiptRef
    said: dict[str, Claim]
    damaged: bool

    def text(self, name: str) -> str | None:
        """What was said of a field of `Stream`."""
        return text_of(self.said, name)

    @property
    def finality(self) -> int:
        """How sure it is that nothing comes after it."""
        return _finality(self.state, self.text("error"), self.text("detailed_status"))


_ENDED, _FINAL = 3, 4
FINALITY: dict[StreamStatus | None, int] = {
    None: 0,
    StreamStatus.IN_PROGRESS: 1,
    StreamStatus.UNKNOWN: 2,
    StreamStatus.COMPLETED: _FINAL,
    StreamStatus.FAILED: _FINAL,
    StreamStatus.CANCELLED: _FINAL,
}
"""The greater outranks the less, whichever comes first."""


def finality_of(stream: Stream) -> int:
    """How sure it is that nothing comes after what was said of a stream."""
    return _finality(stream.state, stream.error, stream.detailed_status)


def _finality(state: StreamStatus | None, error: str | None, detailed_status: str | None) -> int:
    """Of a status and what was said beside it.

    An error without a status ends a stream too, but a status that says so outranks it: else an
    error heard later could undo an outcome that was told already.
    """
    if state is not None or not (error or detailed_status):
        return FINALITY[state]
    detail = Stream(detailed_status=detailed_status)
    ended = error or says_throttled(detailed_status) or told_of(detail) is not None
    return _ENDED if ended else FINALITY[None]


_STREAM_FIELDS = (
    "status",
    "duration_raw",
    "url",
    "recording_url",
    "disconnected_by_raw",
    "detailed_status",
    "error",
    "disposition",
)

_NUMBERS = ("from_", "to")
_OF_CALL = ("direction", "flow_id", "custom_field", "digits")

StreamKey = tuple[str | None, str | None, str | None]
"""CallSid, StreamSID, and where there is no StreamSID the id of the one receipt."""


class StreamStory(msgspec.Struct, frozen=True, omit_defaults=True):
    """One stream. `told_alone` is the receipt of a stream without a StreamSID.

    `reports` are sorted, the outcome first; `numbers` are `from_` and `to`, and `call` what else
    was said of the stream's call (`direction`, `flow_id`, `custom_field`, `digits`), each as said
    first. `call_over` is whether somebody said that the call has ended.
    """

    first: ReceiptRef
    last: ReceiptRef
    reports: tuple[StatusReport, ...]
    call_sid: str | None = None
    sid: str | None = None
    told_alone: str | None = None
    numbers: dict[str, Claim] = {}
    call: dict[str, Claim] = {}
    call_over: bool = False

    def said(self, name: str) -> str | None:
        """What was said first of a number or of the call."""
        return text_of(self.numbers, name) or text_of(self.call, name)

    @property
    def key(self) -> StreamKey:
        """What tells this stream from every other."""
        return self.call_sid, self.sid, self.told_alone

    @property
    def settled_by(self) -> ReceiptRef:
        """The receipt that first said how the stream stands."""
        return self.reports[0].first

    @property
    def stream(self) -> Stream:
        """How the stream stands; its addresses from any report that knows them."""
        report = self.reports[0]
        return Stream(
            sid=self.sid,
            status=report.text("status"),
            duration_raw=report.text("duration_raw"),
            url=self._anywhere("url"),
            recording_url=self._anywhere("recording_url"),
            disconnected_by_raw=report.text("disconnected_by_raw"),
            detailed_status=report.text("detailed_status"),
            error=report.text("error"),
            disposition=report.text("disposition"),
        )

    def _anywhere(self, name: str) -> str | None:
        return next((c.said[name][1] for c in self.reports if name in c.said), None)

    @property
    def verdict(self) -> Verdict:
        """How the stream ended, judged on all that its receipts said."""
        return judge(self.settled)

    @property
    def settled(self) -> Passthru:
        """What would have told of the stream at once."""
        unsure = self.reports[0].damaged or self.call_over
        noted = (Defect("stream", "its end was not told, or not in whole"),) if unsure else ()
        return Passthru(stream=self.stream, noted=noted)

    @property
    def runs(self) -> bool:
        """Whether it is open as far as is known."""
        return classify(self.settled).cause is Cause.RUNNING


def stream_key(parsed: ParsedReceipt) -> StreamKey | None:
    """The stream that a receipt tells of; None where it tells of none."""
    stream = parsed.passthru.stream
    if stream is None:
        return None
    return parsed.passthru.call_sid, stream.sid, None if stream.sid is not None else parsed.by.id


def stream_story(parsed: ParsedReceipt) -> StreamStory | None:
    """The story that one receipt tells of a stream; None where it has none."""
    passthru, by = parsed.passthru, parsed.by
    key, stream = stream_key(parsed), passthru.stream
    if key is None or stream is None:
        return None
    report = StatusReport(
        state=stream.state,
        first=by,
        said=all_said(by.place, stream, _STREAM_FIELDS),
        damaged=any(defect.field == "stream" for defect in passthru.noted),
    )
    return StreamStory(
        first=by,
        last=by,
        reports=(report,),
        call_sid=key[0],
        sid=key[1],
        told_alone=key[2],
        numbers=all_said(by.place, passthru, _NUMBERS),
        call=all_said(by.place, passthru, _OF_CALL),
    )


def merge_streams(one: StreamStory, other: StreamStory) -> StreamStory:
    """Two stories of the same stream as one."""
    assert one.key == other.key
    reports = {report.state: report for report in one.reports}
    for report in other.reports:
        known = reports.get(report.state)
        reports[report.state] = report if known is None else _merge_reports(known, report)
    return StreamStory(
        first=min(one.first, other.first),
        last=max(one.last, other.last),
        reports=tuple(sorted(reports.values(), key=_outcome_first)),
        call_sid=one.call_sid,
        sid=one.sid,
        told_alone=one.told_alone,
        numbers=merge_said(one.numbers, other.numbers, first_said),
        call=merge_said(one.call, other.call, first_said),
        call_over=one.call_over or other.call_over,
    )


def _merge_reports(one: StatusReport, other: StatusReport) -> StatusReport:
    return StatusReport(
        state=one.state,
        first=min(one.first, other.first),
        said=merge_said(one.said, other.said, first_said),
        damaged=one.damaged and other.damaged,
    )


def _outcome_first(report: StatusReport) -> tuple[int, ReceiptRef, str]:
    return -report.finality, report.first, report.state or ""


_CALL_FIELDS = (
    "from_",
    "from_raw",
    "to",
    "to_raw",
    "direction",
    "direction_raw",
    "account_sid",
    "call_status",
    "call_type",
    "dial_status",
    "custom_field",
    "recording_url",
    "flow_id",
    "created_raw",
    "started_raw",
    "ended_raw",
)


class CallStory(msgspec.Struct, frozen=True):
    """One call: what was said of it last, field by field of `Passthru`, and its streams.

    A word that says more stands, whatever comes later: a final status, a number in full, a time.
    """

    call_sid: str
    first: ReceiptRef
    last: ReceiptRef
    said: dict[str, Claim]
    streams: dict[StreamKey, StreamStory]

    def text(self, name: str) -> str | None:
        """What was said last of a field."""
        return text_of(self.said, name)

    @property
    def streams_in_order(self) -> list[StreamStory]:
        """Its streams as they were first told of."""
        return sorted(self.streams.values(), key=lambda story: (story.first, story.sid or ""))


def call_story(parsed: ParsedReceipt) -> CallStory | None:
    """The story that one receipt tells of its call; None where it names no call."""
    passthru, by = parsed.passthru, parsed.by
    if passthru.call_sid is None:
        return None
    said = all_said(by.place, passthru, _CALL_FIELDS)
    story = stream_story(parsed)
    streams = {story.key: story} if story is not None else {}
    return CallStory(passthru.call_sid, by, by, said, streams)


def merge_calls(one: CallStory, other: CallStory) -> CallStory:
    """Two stories of the same call as one."""
    assert one.call_sid == other.call_sid
    said = merge_said(one.said, other.said, last_said)
    streams = dict(one.streams)
    for key, story in other.streams.items():
        streams[key] = merge_streams(streams[key], story) if key in streams else story
    first, last = min(one.first, other.first), max(one.last, other.last)
    return CallStory(one.call_sid, first, last, said, streams)


def over(story: CallStory) -> CallStory:
    """The same call where somebody said that it has ended: none of its streams runs on."""
    streams = {
        key: msgspec.structs.replace(each, call_over=True) for key, each in story.streams.items()
    }
    return msgspec.structs.replace(story, streams=streams)


def facet_of(story: StreamStory) -> Facet:
    """What a stream is counted under: the endpoint that heard of it first, and how it stands."""
    settled = story.settled
    stream = settled.stream or Stream()
    state, verdict = stream.state, classify(settled)
    return Facet(
        endpoint=story.first.endpoint,
        status="" if state is None else str(state),
        cause=str(verdict.cause),
        option=story.settled_by.option,
        kind=str(verdict.kind or ""),
        host=host_of(stream),
        exophone=exophone_of(story.said("direction"), story.said("from_"), story.said("to")),
    )
