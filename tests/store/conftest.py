"""Stores over a journal of the test's own, of every kind that there is."""

import pytest

from kept_receipts import Kept
from switchhook.store import SqliteStore

STORES = {"sqlite": SqliteStore}
"""How each is made: of a folder of its own and the journal's reader."""


@pytest.fixture
def kept(tmp_path):
    journal = Kept(tmp_path / "journal")
    yield journal
    journal.close()


@pytest.fixture(params=STORES)
def open_store(request, tmp_path, kept):
    """Makes an empty store, as often as it is called."""
    made = []

    def make():
        store = STORES[request.param](tmp_path / f"store-{len(made)}", kept.reader)
        store.open()
        made.append(store)
        return store

    yield make
    for store in made:
        store.close()


@pytest.fixture
def store(open_store):
    return open_store()
