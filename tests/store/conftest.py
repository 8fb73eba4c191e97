"""Stores over a journal of the test's own, of every kind that there is."""

import pytest

from kept_receipts import Kept
from store.kinds import KINDS, Stores


@pytest.fixture
def kept(tmp_path):
    journal = Kept(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture(params=KINDS)
def stores(request, tmp_path):
    """Makes stores of one kind, each empty, and opens them again."""
    if request.param == "sqlite":
        stores = Stores(tmp_path)
    else:
        stores = Stores(tmp_path, request.getfixturevalue("postgresql"))
    yield stores
    stores.close()


@pytest.fixture
def open_store(stores, kept):
    """Makes an empty store, as often as it is called."""
    return lambda: stores.new(kept.reader)


@pytest.fixture
def store(open_store):
    return open_store()
