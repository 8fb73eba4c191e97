"""Stories are joins: order, repeats and grouping of receipts make no difference."""

from functools import reduce

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.exotel.cause import Cause
from switchhook.exotel.passthru import Defect, Passthru, Stream, StreamStatus
from switchhook.journal.receipt import Receipt, id_of, order_text, parse_receipt_id, receipt_id
from switchhook.journal.segment import Record
from switchhook.journal.source import Origin
from switchhook.rules.decide import Decision, Option
from switchhook.streams.story import (
    FINALITY,
    ParsedReceipt,
    ReceiptRef,
    call_story,
    enters_stories,
    merge_calls,
    merge_streams,
    stream_story,
)


def told(seq, *, call_sid="c1", noted=(), **stream):
    said = {"sid": "s1", **stream}
    by = ReceiptRef(receipt_id(1_700_000_000_000 + seq, 1, seq), seq, "default", "A")
    return ParsedReceipt(by, Passthru(call_sid=call_sid, stream=Stream(**said), noted=noted))


def stream_of(*receipts):
    return reduce(merge_streams, [stream_story(each) for each in receipts])


texts = st.none() | st.sampled_from(["a", "b", "c"])
streams = st.builds(
    Stream,
    sid=st.just("s1"),
    status=st.sampled_from(
        [None, "in-progress", "completed", "failed", "cancelled", "parked", "x"]
    ),
    duration_raw=st.none() | st.sampled_from(["0", "28"]),
    url=texts,
    recording_url=texts,
    disconnected_by_raw=st.none() | st.sampled_from(["user", "bot", "NA", "cat"]),
    detailed_status=st.none() | st.just("Streaming_call_throttled"),
    error=st.none() | st.just("3009 dial tcp 10.0.0.1:50: connect: connection refused"),
)
passthrus = st.builds(
    Passthru,
    call_sid=st.just("c1"),
    from_raw=st.none() | st.sampled_from(["09876543210", "+14155550123"]),
    call_status=texts,
    direction_raw=st.none() | st.just("incoming"),
    stream=streams,
    noted=st.sampled_from([(), (Defect("stream", "cut short"),)]),
)
seen = st.lists(passthrus, min_size=1, max_size=6).map(
    lambda found: [
        ParsedReceipt(ReceiptRef(receipt_id(1000 + n, 1, n), n, "default", "AB"[n % 2]), passthru)
        for n, passthru in enumerate(found)
    ]
)


@given(seen, st.data())
def test_merge_streams_gives_the_same_story_in_any_order_grouping_and_number(receipts, data):
    """Law 4 for streams."""
    whole = stream_of(*receipts)
    again = data.draw(st.lists(st.sampled_from(receipts), max_size=4))
    order = data.draw(st.permutations(receipts + again))
    cut = data.draw(st.integers(1, len(order)))
    groups = [group for group in (order[:cut], order[cut:]) if group]
    merged = reduce(merge_streams, [stream_of(*group) for group in groups])
    assert merged == whole
    assert merged.verdict == whole.verdict


def of_nodes(found):
    """Receipts of three nodes whose numbers and clocks go each their way; steady time is one."""
    numbers = {1: 0, 2: 700, 3: 40_000}
    receipts = []
    for n, (passthru, node, off) in enumerate(found):
        numbers[node] += 1
        by = ref_of(Origin(node, numbers[node]), 1000 + n + off, 50_000 + n // 2)
        receipts.append(ParsedReceipt(by, passthru))
    return receipts


def ref_of(origin, at, steady):
    record = Record(1, 1, at, None, None, None, b"", "", origin, steady)
    return ReceiptRef(id_of(record, 0), at, "default", "AB"[at % 2], order=order_text(record))


seen_by_nodes = st.lists(
    st.tuples(passthrus, st.sampled_from([1, 2, 3]), st.integers(-900, 900)),
    min_size=1,
    max_size=6,
).map(of_nodes)


@given(seen_by_nodes, st.data())
def test_receipts_of_several_nodes_give_the_same_story_too(receipts, data):
    """Law 4 for what several nodes were told: of streams and of calls."""
    again = data.draw(st.lists(st.sampled_from(receipts), max_size=4))
    order = data.draw(st.permutations(receipts + again))
    cut = data.draw(st.integers(1, len(order)))
    groups = [group for group in (order[:cut], order[cut:]) if group]
    assert reduce(merge_streams, [stream_of(*group) for group in groups]) == stream_of(*receipts)
    calls = [reduce(merge_calls, [call_story(each) for each in group]) for group in groups]
    assert reduce(merge_calls, calls) == reduce(merge_calls, map(call_story, receipts))
    story = stream_of(*receipts)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(story), type=type(story)) == story


@given(seen_by_nodes)
def test_receipts_of_several_nodes_are_in_the_order_of_time(receipts):
    times = {each.by.id: 50_000 + n // 2 for n, each in enumerate(receipts)}
    ordered = sorted(each.by for each in receipts)
    assert [times[by.id] for by in ordered] == sorted(times.values())
    for node in (1, 2, 3):
        places = [parse_receipt_id(by.id) for by in ordered]
        numbers = [seq for _, its, seq in places if its == node]
        assert numbers == sorted(numbers)
    story = stream_of(*receipts)
    assert (story.first, story.last) == (ordered[0], ordered[-1])


def test_of_two_final_words_the_first_stands_whatever_the_nodes_numbers_and_clocks():
    ended = Passthru(call_sid="c1", stream=Stream(sid="s1", status="completed"))
    failed = Passthru(call_sid="c1", stream=Stream(sid="s1", status="failed"))
    story = stream_of(
        ParsedReceipt(ref_of(Origin(2, 3), 500, 2_000), failed),
        ParsedReceipt(ref_of(Origin(1, 90_000), 1_000, 1_000), ended),
    )
    assert story.stream.state == StreamStatus.COMPLETED


@given(seen, st.data())
def test_merge_calls_gives_the_same_story_in_any_order_grouping_and_number(receipts, data):
    """Law 4 for calls."""
    whole = reduce(merge_calls, [call_story(each) for each in receipts])
    again = data.draw(st.lists(st.sampled_from(receipts), max_size=4))
    order = data.draw(st.permutations(receipts + again))
    assert reduce(merge_calls, [call_story(each) for each in order]) == whole


@given(seen, passthrus)
def test_a_finished_stream_never_moves_back(receipts, later):
    """Whatever comes later, and says no more than is known, the outcome stays."""
    story = stream_of(*receipts)
    if story.reports[0].finality < FINALITY[StreamStatus.COMPLETED]:
        return
    late = ParsedReceipt(ReceiptRef(receipt_id(9_999_999, 1, 99), 99, "default", "B"), later)
    after = merge_streams(story, stream_story(late))
    assert after.stream.state == story.stream.state
    assert after.settled_by == story.settled_by


@given(seen)
def test_a_story_survives_being_written_down(receipts):
    story = stream_of(*receipts)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(story), type=type(story)) == story


@pytest.mark.parametrize(
    ("receipts", "status", "cause"),
    [
        (
            (told(1), told(2, status="completed", disconnected_by_raw="bot")),
            "completed",
            "bot_done",
        ),
        (
            (told(2, status="in-progress"), told(1, status="failed", error="3009 x")),
            "failed",
            "connect_failed",
        ),
        (
            (told(1, status="completed", disconnected_by_raw="user"), told(2, status="failed")),
            "completed",
            "caller_left",
        ),
        ((told(1, status="parked"), told(2, status="in-progress")), "parked", "unknown"),
        (
            (told(1, detailed_status="Streaming_call_throttled"), told(2, status="in-progress")),
            None,
            "throttled",
        ),
    ],
)
def test_the_most_final_status_is_the_outcome_and_of_two_the_first(receipts, status, cause):
    for order in (receipts, receipts[::-1]):
        story = stream_of(*order)
        assert (story.stream.status, story.verdict.cause) == (status, cause)


def test_addresses_come_from_whoever_knows_them():
    """The running stream's receipt said the URL, the one at its end did not."""
    story = stream_of(told(1, url="wss://bot/media"), told(2, status="completed"))
    assert story.stream.url == "wss://bot/media"


def test_what_was_cut_short_is_not_taken_for_running():
    cut = (Defect("stream", "JSON cut short"),)
    assert stream_of(told(1, noted=cut)).verdict.cause is Cause.UNKNOWN
    assert stream_of(told(1, noted=cut), told(2)).verdict.cause is Cause.RUNNING


def test_a_stream_without_an_id_is_a_story_of_its_own():
    one, two = (stream_story(told(n, sid=None, status="cancelled")) for n in (1, 2))
    assert one.sid is None
    assert one.key != two.key


def test_a_stream_is_told_apart_by_call_and_id_and_needs_no_call():
    assert stream_story(told(1, call_sid=None)).key == (None, "s1", None)
    assert stream_story(told(1)).key != stream_story(told(1, call_sid="c2")).key


def test_old_stream_keys_in_a_later_passthru_of_the_call_add_no_stream():
    first = told(1, status="completed", disconnected_by_raw="bot")
    later = told(2, status="completed", disconnected_by_raw="bot")
    call = merge_calls(call_story(first), call_story(later))
    assert [story.sid for story in call.streams_in_order] == ["s1"]


def test_a_call_says_what_was_said_last():
    by = [ReceiptRef(receipt_id(n, 1, n), n, "default", "A") for n in (1, 2)]
    first = call_story(
        ParsedReceipt(by[0], Passthru(call_sid="c", call_status="ringing", digits="1"))
    )
    last = call_story(ParsedReceipt(by[1], Passthru(call_sid="c", call_status="completed")))
    assert merge_calls(last, first).text("call_status") == "completed"
    assert call_story(ParsedReceipt(by[0], Passthru())) is None
    assert stream_story(ParsedReceipt(by[0], Passthru())) is None


def test_head_requests_and_repeats_enter_no_story():
    decision = Decision(Option.A, "r", "", "")
    receipt = Receipt(
        received_us=1, endpoint="e", method="GET", raw=b"", decision=decision, http_status=200
    )
    assert enters_stories(receipt)
    assert not enters_stories(msgspec.structs.replace(receipt, method="HEAD"))
    assert not enters_stories(msgspec.structs.replace(receipt, repeat_of="x"))
