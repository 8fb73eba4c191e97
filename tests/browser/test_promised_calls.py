"""Promised callbacks on the page of their call, wide and narrow."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from switchhook.calls.promised import Callback, CallPromise, PromiseMove


@pytest.fixture
def promised(world):
    call = world.tell("throttled")
    assert world.folder.reach(world.reader.last_seq(), 10)
    at = world.reader.read(world.reader.last_seq() - 1, 1)[0].at
    moves = (
        PromiseMove(at, "A callback was promised", level="muted"),
        PromiseMove(at + 2_000, "The call was confirmed, and the callback is owed", level="live"),
        PromiseMove(at + 61_000, "Exotel was asked to call back", level="live", attempt=1),
        PromiseMove(at + 90_000, "The callback came to nothing", "busy", "warn", 1),
        PromiseMove(at + 961_000, "Exotel was asked to call back", level="live", attempt=2),
        PromiseMove(at + 999_000, "The callback was taken", level="good", attempt=2),
    )
    callbacks = (
        Callback(1, at + 61_000, "back1", "their line was busy", "warn"),
        Callback(2, at + 961_000, "back2", "they were called back and talked for 41 s", "good"),
    )
    promise = CallPromise(
        id=12,
        state="kept",
        level="good",
        why="they were called back and talked",
        reason="no free stream",
        class_="sales",
        made_for=call,
        moves=moves,
        callbacks=callbacks,
    )
    world.promised = {each: [promise] for each in (call, "back1", "back2")}
    yield call
    world.promised = {}


@pytest.mark.parametrize("width", [1280, 360])
def test_a_call_and_its_callbacks_lead_to_one_another(visit, promised, width):
    here = visit(width=width)
    page = here.go(f"/calls/{promised}")
    card = page.locator("#promise-12")
    expect(card).to_contain_text("no free stream")
    expect(card.get_by_role("link", name="the callback's call")).to_have_count(2)
    expect(page.locator("tr", has_text="The callback was taken")).to_be_visible()
    here.keep(f"call-promised-{width}")
    card.get_by_role("link", name="the callback's call").last.click()
    expect(page.locator("tr", has_text="The callback was taken")).to_be_visible()
    expect(page.locator("tr", has_text="The callback came to nothing")).to_have_count(0)
    here.keep(f"call-callback-{width}")
    page.get_by_role("link", name="The call that it was promised in").click()
    expect(page).to_have_url(f"{here.address}/calls/{promised}")
    sideways = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert not sideways
    assert here.troubles == []
