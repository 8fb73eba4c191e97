"""Saved views: whose they are, who sees them, and how many there may be."""

from __future__ import annotations

from switchhook.access.audit import Deed
from switchhook.streams.search.saved_views import MOST_VIEWS, SavedView
from switchhook.streams.search.saved_views_ledger import LedgerViews

DEED = Deed(who="asha", what="saved a view", subject="v")


def view(name="Refused", by="asha", shared=False, query="q=is%3Afailed"):
    return SavedView(0, name, query, by, shared)


def test_views_are_seen_by_whom_they_are_for(ledger):
    views = LedgerViews(ledger)
    views.save(view(), DEED, 1)
    views.save(view("All", "ravi", shared=True), DEED, 1)
    views.save(view("Mine", "ravi"), DEED, 1)
    assert [each.name for each in views.seen_by("asha")] == ["All", "Refused"]
    assert [each.name for each in views.seen_by("ravi")] == ["All", "Mine"]


def test_a_view_of_the_same_name_takes_its_place(ledger):
    views = LedgerViews(ledger)
    views.save(view(), DEED, 1)
    views.save(view(query="q=other"), DEED, 2)
    assert [each.query for each in views.seen_by("asha")] == ["q=other"]


def test_only_their_maker_removes_views(ledger):
    views = LedgerViews(ledger)
    views.save(view(shared=True), DEED, 1)
    (kept,) = views.seen_by("ravi")
    assert not views.remove(kept.id, "ravi", DEED, 2)
    assert views.remove(kept.id, None, DEED, 3)
    assert views.seen_by("asha") == []


def test_views_have_a_ceiling(ledger):
    views = LedgerViews(ledger)
    assert all(views.save(view(f"v{n}"), DEED, n) for n in range(MOST_VIEWS))
    assert not views.save(view("one more"), DEED, 1)
    assert views.save(view("v0", query="changed"), DEED, 1)
