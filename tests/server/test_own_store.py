"""A node's own journal, folded for the while that a command takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kept_receipts import Kept, query, receipt
from switchhook.server.own_store import NewestRecords, own_store
from switchhook.streams.queries import StreamQueries
from switchhook.system.data_folder import JOURNAL, DataFolder


@pytest.fixture
def data(tmp_path):
    """The data folder of a node with five calls of a stream each, and nothing folded."""
    folder = tmp_path / "data"
    with DataFolder.open(folder, "answer") as held:
        kept = Kept(held.folder(JOURNAL), node=held.node)
    kept.keep(*(receipt(query(f"c{at}", f"s{at}")) for at in range(5)))
    yield folder
    kept.close()


def calls(journal, store):
    found = StreamQueries(journal, store).streams({"limit": 100})["streams"]
    return [each["call_sid"] for each in found]


def test_it_has_the_streams_and_is_gone_afterwards(data, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with own_store(data) as (journal, store):
        assert calls(journal, store) == ["c4", "c3", "c2", "c1", "c0"]
        assert journal.is_whole
        (folder,) = (each for each in tmp_path.iterdir() if each != data)
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
    assert not (data / "store").exists()


def test_of_a_long_journal_the_newest_records_are_folded(data):
    journal = NewestRecords(data / JOURNAL, 2)
    assert (journal.first_seq(), journal.is_whole) == (4, False)
    assert [each.seq for each in journal.read(0, 10)] == [4, 5]
    assert [each.seq for each in journal.read(4, 10)] == [5]
    assert journal.get(1) is not None  # a record that is named is there all the same
    journal.close()


@pytest.mark.parametrize("most", [5, 6])
def test_of_a_short_one_all_are(data, most):
    journal = NewestRecords(data / JOURNAL, most)
    assert (journal.first_seq(), journal.is_whole) == (1, True)
    journal.close()


def test_before_anything_came_it_is_empty(tmp_path):
    with own_store(tmp_path) as (journal, store):
        assert (calls(journal, store), journal.first_seq(), journal.is_whole) == ([], 0, True)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
    assert not Path(tmp_path / "store").exists()
