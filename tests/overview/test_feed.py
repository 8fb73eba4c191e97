"""The live feed: once for all who see the same, never in anybody's way."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from starlette.requests import Request

from kept_receipts import parsed, receipt
from patience import PATIENCE_S
from switchhook.access.roles import Role, Viewer
from switchhook.journal.receipt import RecordKind, encode
from switchhook.journal.segment import Record
from switchhook.overview.feed import API, MOST_BROWSERS, MOST_ROWS, NOW, Feed
from switchhook.streams.fold import Folded

SIGNED_IN = Viewer("asha", Role.OPERATOR, "s1", revealed=frozenset({"*"}))


class Live:
    """Says what it was asked; fails once where told to."""

    def __init__(self):
        self.looks = []
        self.words = "all well"
        self.failing = 0

    def gather(self):
        if self.failing:
            self.failing -= 1
            raise RuntimeError("a bug")

    def figures(self, page, look):
        return {"verdict": self.words}

    def tail(self, page, rows, left_out, look):
        self.looks.append((page, look.sees_numbers, look.zone.key, len(rows), left_out))
        seqs = ",".join(str(each.seq) for each in rows)
        return {"tail": f"<li>\n{seqs}+{left_out}</li>"}


def record(seq, kind=RecordKind.PASSTHRU, body=None):
    return Record(seq, kind, 0, None, None, None, encode(receipt()) if body is None else body)


def folded(*seqs, **more):
    return Folded(tuple(parsed(*(record(seq, **more) for seq in seqs))), seqs[-1])


def request(path="/feed", query=b"page=now", viewer=None):
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": query, "headers": [],
        "server": ("127.0.0.1", 80), "scheme": "http",
    }  # fmt: skip
    if viewer is not None:
        scope["viewer"] = viewer
    return Request(scope)


@contextlib.asynccontextmanager
async def looking(feed, page=NOW, **asked):
    """One browser's chunks, read until one has a text."""
    reply = feed._answer(request(**asked), page)
    chunks = reply.body_iterator

    async def until(text):
        async with asyncio.timeout(PATIENCE_S):
            async for chunk in chunks:
                if text in chunk:
                    return chunk
        raise AssertionError("it ended")

    await until(b"retry")
    yield until
    await chunks.aclose()


def run(coroutine):
    return asyncio.run(coroutine)


@pytest.fixture
def live():
    return Live()


@pytest.fixture
def feed(live):
    ticks = iter(range(10**9))
    return Feed(live, lambda: float(next(ticks)), pace_s=0.001, figures_s=0.02)


def test_what_was_folded_reaches_the_browser(feed):
    async def watch():
        async with looking(feed) as until:
            await until(b"all well")
            await asyncio.to_thread(feed.take, folded(7, 8))
            chunk = await until(b"7,8+0")
            assert chunk == b"event: tail\ndata: <li>\ndata: 7,8+0</li>\n\n"

    run(watch())


def test_all_who_see_the_same_get_it_from_one_rendering(feed, live):
    async def watch():
        async with looking(feed) as one, looking(feed) as other:
            await one(b"all well")
            await other(b"all well")
            live.looks.clear()
            feed.take(folded(1))
            await one(b"1+0")
            await other(b"1+0")
            assert live.looks == [(NOW, True, "Asia/Kolkata", 1, 0)]

    run(watch())


def test_numbers_are_masked_for_whoever_is_signed_in(feed, live):
    """A reveal ends after a while; a feed would outlast it."""

    async def watch():
        async with looking(feed, viewer=SIGNED_IN, query=b"page=now&tz=utc") as until:
            feed.take(folded(1))
            await until(b"1+0")
            assert live.looks[-1][:3] == (NOW, False, "UTC")

    run(watch())


def test_what_came_while_the_page_was_on_its_way_is_told_first(feed):
    async def watch():
        feed.take(folded(1, 2))
        async with looking(feed) as until:
            await until(b"1,2+0")

    run(watch())


def test_of_many_the_newest_are_shown_and_the_rest_counted(feed):
    async def watch():
        async with looking(feed) as until:
            await until(b"all well")
            feed.take(folded(*range(1, 1001)))
            chunk = await until(b"1000+")
            assert f"\n{1001 - MOST_ROWS},".encode() in chunk.replace(b"data: ", b"")
            assert f"+{1000 - MOST_ROWS}<".encode() in chunk

    run(watch())


def test_other_records_and_other_pages_have_no_tail(feed, live):
    async def watch():
        async with looking(feed, page="") as until:
            feed.take(folded(1))
            feed.take(folded(2, kind=RecordKind.COUNTERS))
            feed.take(folded(3, body=encode(receipt(method="HEAD"))))
            feed.take(folded(4, body=b"garbage"))
            live.words = "trouble"
            await until(b"trouble")
            assert live.looks == []

    run(watch())


def test_the_verdict_is_sent_only_when_it_changes(feed, live):
    async def watch():
        async with looking(feed) as until:
            await until(b"all well")
            live.words = "trouble"
            assert b"all well" not in await until(b"trouble")

    run(watch())


def test_a_slow_browser_is_let_go_and_the_others_are_not(feed):
    async def watch():
        async with looking(feed) as reads, looking(feed) as sleeps:
            await reads(b"all well")
            for seq in range(1, 60):
                feed.take(folded(seq))
                await reads(f"{seq}+0".encode())
                if feed.browsers == 2 and seq > 40:
                    break
            with pytest.raises(AssertionError, match="it ended"):
                await sleeps(b"never")

    run(watch())


def test_a_bug_in_one_rendering_does_not_end_the_feed(feed, live, caplog):
    async def watch():
        live.failing = 1
        async with looking(feed) as until:
            await until(b"all well")
        assert "could not be rendered" in caplog.text

    run(watch())


def test_closing_lets_everybody_go(feed):
    async def watch():
        async with looking(feed) as until:
            await until(b"all well")
            feed.close()
            with pytest.raises(AssertionError, match="it ended"):
                await until(b"never")

    run(watch())


def test_there_are_only_so_many_browsers(feed):
    async def watch():
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(MOST_BROWSERS):
                await stack.enter_async_context(looking(feed))
            assert feed._answer(request(), NOW).status_code == 503

    run(watch())


def test_programs_are_told_in_json(feed):
    async def watch():
        async with looking(feed, page=API) as until:
            feed.take(folded(3))
            await until(b"3+0")

    run(watch())


def test_a_fold_without_browsers_costs_nothing(feed, live):
    feed.take(folded(1))
    assert live.looks == []


def test_what_was_erased_is_no_longer_sent(feed, live):
    """Who comes after an erasure gets no receipt from before it, and every one after it."""

    async def watch():
        feed.take(folded(7, 8))
        feed.forget()
        async with looking(feed) as until:
            await until(b"all well")
            assert all(count == 0 for *_, count, _ in live.looks)
            await asyncio.to_thread(feed.take, folded(9))
            assert b"data: 9+0" in await until(b"tail")

    run(watch())


@pytest.mark.parametrize("turns", range(5))
def test_it_ends_though_something_comes_just_then(live, turns):
    """However many turns of the loop lie between the two."""

    async def watch():
        ticks = iter(range(1_000, 10**9))
        feed = Feed(live, lambda: float(next(ticks)), pace_s=0, figures_s=PATIENCE_S)
        async with looking(feed) as until:
            await until(b"all well")
            for _ in range(20):  # it waits for what comes next
                await asyncio.sleep(0.001)
            feed._wake.set()
            for _ in range(turns):
                await asyncio.sleep(0)
            feed._task.cancel()
            done, _ = await asyncio.wait([feed._task], timeout=1)
            assert done

    run(watch())
