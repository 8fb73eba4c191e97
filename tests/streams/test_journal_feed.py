"""Each record is heard once and in order, by the fold or from the journal, and how far is known."""

from __future__ import annotations

import pytest

from kept_receipts import Kept, parsed, receipt
from switchhook.streams import journal_feed
from switchhook.streams.fold import Folded
from switchhook.streams.journal_feed import JournalFeed, Moment


@pytest.fixture
def kept(tmp_path):
    found = Kept(tmp_path)
    yield found
    found.close()


class Heard:
    """A feed, and the numbers of the records that it handed on."""

    def __init__(self, kept):
        self.kept, self.feed, self.seqs = kept, JournalFeed(kept.reader), []

    def folded(self, after, last):
        """The fold tells of the records after one, up to another."""
        records = [each for each in self.kept.reader.read(after, 1000) if each.seq <= last]
        self.feed.folded(Folded(tuple(parsed(*records)), last))

    def hear(self, for_s=60.0):
        return self.feed.hear(lambda each, _placed: self.seqs.append(each.record.seq), for_s)

    def as_of(self, at_ms):
        self.feed.look(Moment(at_ms, at_ms))
        return None if self.feed.as_of is None else self.feed.as_of.at_ms


@pytest.fixture
def heard(kept):
    kept.keep(*[receipt()] * 6)
    return Heard(kept)


def test_without_somebody_who_listens_it_only_knows_how_far_the_fold_is(heard):
    heard.folded(0, 4)
    assert (heard.hear(), heard.seqs, heard.feed.through) == (False, [], 4)
    heard.feed.listen(True)
    heard.folded(4, 6)
    assert heard.feed.through == 4
    heard.hear()
    assert (heard.seqs, heard.feed.through) == ([5, 6], 6)


def test_after_a_start_the_journal_tells_what_the_fold_had_told(heard):
    heard.feed.begin(2)
    heard.folded(4, 6)  # which begins where the store is
    heard.hear()
    assert heard.seqs == [3, 4, 5, 6]
    heard.kept.keep(receipt())
    heard.folded(6, 7)
    heard.hear()
    assert heard.seqs == [3, 4, 5, 6, 7]


def test_what_memory_does_not_hold_is_read_again(heard, monkeypatch):
    monkeypatch.setattr(journal_feed, "MOST_WAITING", 3)
    heard.feed.listen(True)
    heard.folded(0, 2)
    heard.folded(2, 6)
    heard.hear()
    assert heard.seqs == [1, 2, 3, 4, 5, 6]


def test_it_hears_for_a_while_and_says_that_there_is_more(heard, monkeypatch):
    monkeypatch.setattr(journal_feed, "_BATCH", 2)
    heard.feed.begin(0)
    assert heard.hear(for_s=-1)
    assert heard.seqs == [1, 2]
    assert not heard.hear()
    assert heard.seqs == [1, 2, 3, 4, 5, 6]


def test_records_that_are_gone_hold_nobody_up(heard):
    heard.feed.begin(0)
    heard.feed._journal = Empty(heard.kept.reader)
    assert not heard.hear()
    assert (heard.seqs, heard.feed.through) == ([], 6)


class Empty:
    """A journal of which everything was removed."""

    def __init__(self, journal):
        self.last_seq = journal.last_seq

    def read(self, after_seq, limit):
        return []


def test_it_has_heard_everything_up_to_when_the_journal_was_as_far(heard):
    heard.feed.listen(True)
    assert heard.as_of(1_000) is None
    heard.folded(0, 6)
    assert heard.as_of(2_000) is None  # told, and not heard yet
    heard.hear()
    assert heard.as_of(3_000) == 3_000
    heard.kept.keep(receipt())
    assert heard.as_of(4_000) == 3_000
    heard.kept.keep(receipt())
    assert heard.as_of(5_000) == 3_000
    heard.folded(6, 7)
    heard.hear()
    assert heard.as_of(6_000) == 4_000  # the last moment at which no more was there
    heard.folded(7, 8)
    heard.hear()
    assert heard.as_of(7_000) == 7_000


def test_who_listens_no_more_is_not_behind(heard):
    heard.feed.listen(True)
    heard.folded(0, 6)
    heard.feed.listen(False)
    assert heard.hear() is False
    heard.kept.keep(receipt())
    heard.folded(6, 7)
    assert heard.as_of(1_000) == 1_000
