"""A back-test by real processes over a real journal: on all cores, stopped, gone on with, ended."""

from __future__ import annotations

import os
import signal

import pytest

from kept_receipts import Kept, query, receipt
from patience import PATIENCE_S
from switchhook.errors import ReleaseError
from switchhook.journal.receipt import RecordKind, encode
from switchhook.releases.backtest import BackTest
from switchhook.releases.backtest_engine import Counters, Work, cores_there, count_span
from switchhook.releases.backtest_file import FOLDER, BackTestFile
from switchhook.releases.backtest_worker import carry_out
from switchhook.releases.spans import Span, parts_of

pytestmark = pytest.mark.process

TEXT = """
[[rule]]
name = "cancelled"
when = 'stream.status == "cancelled"'
option = "B"

[default]
option = "A"
"""
RELEASE = "a" * 64
RECORDS = 1200


@pytest.fixture
def kept(tmp_path):
    kept = Kept(tmp_path / "journal")
    words = ("completed", "cancelled", "failed")
    kept.keep(*(receipt(query(f"c{n}", status=words[n % 3])) for n in range(RECORDS)))
    kept.record(RecordKind.PASSTHRU, b"\xc1")
    assert kept.writer.flush(PATIENCE_S)
    yield kept
    kept.close()


def work_on(tmp_path, **more) -> Work:
    said = {"subject": "rules/default", "release": RELEASE, "text": TEXT, "behind": False, **more}
    return Work(journal=str(tmp_path / "journal"), **said)


def begun(kept: Kept) -> BackTest:
    whole = Span(1, kept.reader.last_seq())
    return BackTest(subject="rules/default", release=RELEASE, whole=whole)


def test_all_processes_together_count_each_receipt_once(kept, tmp_path):
    work, found, file = work_on(tmp_path), begun(kept), BackTestFile(tmp_path, RELEASE)
    alone = count_span(work.trial(), kept.reader, found.whole)
    said = []
    done = carry_out(
        found, work, cores=2, keep=file.write, say=lambda each: said.append(each.counted)
    )
    assert done
    assert found.complete
    assert found.tally == alone
    assert (alone.decided, alone.different) == (RECORDS, RECORDS * 2 // 3)
    assert alone.unable == {"can't be read": 1}
    assert said == sorted(said)
    assert said[-1] == found.whole.records
    assert file.read() == found
    assert (tmp_path / FOLDER).stat().st_mode & 0o777 == 0o700


def test_one_that_was_stopped_goes_on_where_it_was(kept, tmp_path):
    work, file = work_on(tmp_path), BackTestFile(tmp_path, RELEASE)
    told = []
    first = carry_out(
        begun(kept), work, cores=1, keep=file.write, say=told.append, stop=lambda: bool(told)
    )
    assert not first
    found = file.read()
    assert found is not None
    assert not found.complete
    assert 0 < found.counted < found.whole.records
    left = parts_of(found.whole, found.done, 1)
    assert carry_out(found, work, cores=1, keep=file.write)
    assert len(left) < len(parts_of(found.whole, [], 1))
    assert found.tally == count_span(work.trial(), kept.reader, found.whole)


def test_what_is_done_needs_no_process(kept, tmp_path):
    found = begun(kept)
    found.done = [found.whole]
    assert carry_out(found, work_on(tmp_path), cores=2, keep=lambda _found: None)


def test_a_process_that_is_killed_is_named(kept, tmp_path):
    with Counters(work_on(tmp_path), 1) as counters:
        (process,) = counters.processes
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ReleaseError, match="ended by signal 9"):
            list(counters.count([Span(1, 10)]))


def test_a_text_that_can_not_be_loaded_ends_it(kept, tmp_path, capfd):
    with (
        Counters(work_on(tmp_path, text="nothing"), 1) as counters,
        pytest.raises(ReleaseError, match="with code 1"),
    ):
        list(counters.count([Span(1, 10)]))
    assert "switchhook: " in capfd.readouterr().err


def test_a_file_that_can_not_be_read_begins_anew(tmp_path):
    file = BackTestFile(tmp_path, RELEASE)
    assert file.read() is None
    file.write(BackTest(subject="pools", release=RELEASE))
    (name,) = (tmp_path / FOLDER).iterdir()
    name.write_bytes(b"half")
    assert file.read() is None
    file.remove()
    file.remove()
    assert not name.exists()


def test_there_is_a_core():
    assert cores_there() >= 1


def test_a_receipt_of_another_endpoint_is_none_of_it(kept, tmp_path):
    kept.record(RecordKind.PASSTHRU, encode(receipt(endpoint="other")))
    assert kept.writer.flush(PATIENCE_S)
    whole = Span(RECORDS, kept.reader.last_seq())
    found = count_span(work_on(tmp_path).trial(), kept.reader, whole)
    assert found.seen() == 2
