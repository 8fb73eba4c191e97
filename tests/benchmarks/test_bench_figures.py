"""The bench's statistics, by values worked out by hand, and by its definition for any others."""

import json
import os
import subprocess
import sys
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.figures import median_ratio, quantile
from benchmarks.folding import rates
from benchmarks.load import read_status
from benchmarks.report import BEGIN, END, put_between_marks
from benchmarks.traffic import PARAMETERS, queries, requests
from patience import PATIENCE_S
from switchhook import judge, parse_passthru
from switchhook.rules.decide import Option
from switchhook.rules.rules_file import BUILTIN

values = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


@pytest.mark.parametrize(
    ("ordered", "share", "expected"),
    [
        ([1, 2, 3, 4], 0.5, 2),
        ([1, 2, 3], 0.5, 2),
        (list(range(1, 101)), 0.99, 99),
        (list(range(1, 101)), 0.999, 100),
        ([7], 0.01, 7),
        ([7], 1.0, 7),
        ([], 0.5, 0.0),
    ],
)
def test_quantile_is_the_nearest_rank(ordered, share, expected):
    """It is a value that was measured, never one between two."""
    assert quantile(ordered, share) == expected


@given(values, st.sampled_from([0.1, 0.5, 0.9, 0.99, 0.999]))
def test_quantile_keeps_its_definition(measured, share):
    """At least the share is not above it, and less than the share is below it."""
    found = quantile(sorted(measured), share)
    assert sum(each <= found for each in measured) >= share * len(measured) * (1 - 1e-12)
    assert sum(each < found for each in measured) < share * len(measured)


def test_median_ratio_pairs_what_was_measured_together():
    """A machine that was twice as slow for a while changes no ratio."""
    assert median_ratio([50, 25, 60], [100, 50, 100]) == 0.5


def test_median_ratio_of_unequal_numbers_is_refused():
    """A run that has no partner is a mistake of the bench."""
    with pytest.raises(ValueError, match="shorter"):
        median_ratio([1, 2], [1])


def test_rates_tell_the_end_apart():
    """A fold that becomes slow as the store grows can't hide behind its quick beginning."""
    marks = [(0, 0.0), (450, 1.0), (900, 2.0), (1000, 4.0)]
    assert rates(marks) == (250.0, 50.0)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200),
        (b"HTTP/1.1 302 Found\r\nserver: x\r\ncontent-length: 2\r\n\r\nab", 302),
        (b"HTTP/1.1 302 Found\r\nserver: x\r\ncontent-length: 2\r\n\r\na", None),
        (b"HTTP/1.1 200 OK\r\nContent-Le", None),
    ],
)
def test_read_status_waits_for_the_whole_answer(data, status):
    """Half an answer is none."""
    assert read_status(data) == status


def test_read_status_refuses_two_answers_to_one_request():
    """The accounts would be wrong from then on."""
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with pytest.raises(RuntimeError, match="more than an answer"):
        read_status(one + one)


def test_queries_have_new_sids_and_the_options_that_they_say():
    """No repeat hides in the traffic, nothing in it is odd, and both options occur."""
    seen, options = set(), set()
    for query, option in islice(queries(), 1024):
        passthru = parse_passthru(query)
        assert passthru.defects == ()
        assert passthru.stream is not None
        seen |= {passthru.call_sid, passthru.stream.sid}
        options.add(option)
        assert query.count(b"&") + 1 == PARAMETERS == 17
        troubled = judge(passthru).cause in ("throttled", "connect_failed")
        assert option == ("B" if troubled else "A")
    assert len(seen) == 2 * 1024
    assert options == {"A", "B"}
    assert BUILTIN.default is Option.A


def test_requests_are_queries_in_heads():
    """The fast way of making requests makes the same as the plain one, but for the SIDs."""
    query, _ = next(queries())
    request = next(requests("/passthru/x"))
    line = request.split(b"\r\n")[0]
    assert len(line) == len(b"GET /passthru/x?" + query + b" HTTP/1.1")
    assert request.endswith(b"\r\n\r\n")


def test_requests_before_a_stream_name_none_and_no_call_twice():
    some = [next(each) for each in [requests("/voicebot/x", before_stream=True)] for _ in range(9)]
    calls = {read.call_sid for read in map(passthru_of, some)}
    assert len(calls) == 9
    assert all(read.stream is None and read.from_ for read in map(passthru_of, some))


def passthru_of(request):
    target = request.split(b" ")[1]
    assert target.startswith(b"/voicebot/x?")
    return parse_passthru(target.partition(b"?")[2])


def test_table_goes_between_the_marks():
    """What people wrote around it stays."""
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert put_between_marks(page, "new") == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"


def test_page_without_marks_is_refused():
    """Nothing is overwritten by guess."""
    with pytest.raises(ValueError, match="no marks"):
        put_between_marks("a page", "new")


@pytest.mark.process
def test_load_generator_counts_what_a_real_server_answers(free_bare_server):
    """Both loops, against the bare rival: every request is answered once, and none is lost."""
    for more in ({}, {"rate": 200.0}):
        order = {
            "port": free_bare_server,
            "path": "/passthru",
            "seconds": 0.5,
            "warm_up": 0.1,
            "connections": 8,
            **more,
        }
        run = subprocess.run(
            [sys.executable, "-m", "benchmarks.load", json.dumps(order)],
            capture_output=True,
            check=True,
            timeout=PATIENCE_S,
            env=os.environ,
        )
        found = json.loads(run.stdout)
        assert found["statuses"] == {"200": found["sent"]}
        assert found["unanswered"] == found["broken"] == 0
        assert 0 < found["measured"] < found["sent"]
        assert 0 < found["p50"] <= found["p99"] <= found["longest"]
