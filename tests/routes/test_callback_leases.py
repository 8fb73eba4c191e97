"""Places of callbacks: taken before they are dialled, kept while they ring, live once answered."""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec
import pytest

from kept_receipts import receipt
from routes.test_admission_worker import World
from switchhook.journal.receipt import AddressGiven, RecordKind, StatusReceived
from switchhook.routes.callback_leases import ASKING_MS, CallbackLeases
from switchhook.routes.leases import LONGEST_MS, Held

NAME = "switchhook:abc:1"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def world(tmp_path):
    found = World(tmp_path)
    found.worker.tell()
    return found


def polled(world, active, allowed=10):
    world.polled(active, allowed)
    world.later(1_000)


def asks_for_bot(world, call, name):
    base = receipt(urlencode({"CallSid": call, "CustomField": name}).encode(), endpoint="bots")
    body = AddressGiven(**msgspec.structs.asdict(base), account="main", address="wss://x/")
    world.keep(RecordKind.VOICEBOT, body)


def calls_back(world, call, status, name=None):
    said = {"CallSid": call, "Status": status, **({"CustomField": name} if name else {})}
    world.keep(
        RecordKind.STATUS,
        StatusReceived(world.now * 1000, "main", urlencode(said).encode(), FORM),
    )


def take(world, name=NAME, reserve=0):
    return world.worker.take("main", name, "default", reserve)


def test_nobody_is_dialled_while_nothing_is_known_of_the_account(world):
    assert take(world) == "Exotel has not been asked yet"
    assert world.worker.take("other", NAME, "", 0) == "account other has no callbacks"


def test_a_place_is_taken_from_those_who_call_in(world):
    polled(world, 0)
    assert take(world) == ""
    world.later(1_000)
    assert (world.held, world.budget.room) == (Held(1, 0), 9)
    assert sum(world.asks(f"c{n}") for n in range(12)) == 9


def test_a_reserve_is_left_for_those_who_call_in(world):
    polled(world, 0)
    assert [take(world, f"switchhook:abc:{n}", reserve=3) for n in range(9)] == [""] * 7 + [
        "3 of 10 streams are free, and 3 are kept free for those who call in"
    ] * 2


def test_one_stream_is_told_as_one(world):
    polled(world, 8)
    held = [take(world, f"switchhook:abc:{n}", reserve=1) for n in range(2)]
    assert held == ["", "1 of 10 streams is free, and 1 is kept free for those who call in"]


def test_the_same_callback_takes_one_place(world):
    polled(world, 0, allowed=1)
    assert take(world) == ""
    assert take(world) == ""
    assert take(world, "switchhook:abc:2") == "0 of 1 streams are free"
    world.worker.hold("main", NAME, "default")
    assert world.held == Held(1, 0)


def test_what_the_last_poll_shows_is_believed_before_it_can_be_explained(world):
    """Twenty callers within seconds: an average has not heard of them yet."""
    polled(world, 0)
    for _ in range(4):
        world.later(5_000)
        polled(world, 0)
    polled(world, 10)
    assert take(world) == "0 of 10 streams are free"


def test_a_line_that_has_emptied_has_room_at_once(world):
    for _ in range(8):
        polled(world, 10)
        world.later(4_000)
    assert take(world) == "0 of 10 streams are free"
    polled(world, 0)
    taken = sum(take(world, f"switchhook:abc:{n}") == "" for n in range(12))
    assert taken >= 9


def test_those_who_were_let_in_and_have_no_stream_yet_have_their_places(world):
    polled(world, 0)
    assert sum(world.asks(f"c{n}") for n in range(8)) == 8
    polled(world, 0)
    assert [take(world, f"switchhook:abc:{n}") == "" for n in range(3)] == [True, True, False]


def test_who_has_answered_has_their_place_before_the_account_tells_of_their_stream(world):
    """A flow greets them first, and its bot is dialled then: a poll meanwhile shows none of it."""
    polled(world, 0)
    names = [f"switchhook:abc:{n}" for n in range(8)]
    assert [take(world, name) for name in names] == [""] * 8
    for n, name in enumerate(names):
        calls_back(world, f"c{n}", "in-progress", name)
    world.later(1_000)
    assert world.held == Held(0, 8)
    for _ in range(3):
        polled(world, 0)
        assert take(world, "switchhook:abc:9", reserve=2) == (
            "2 of 10 streams are free, and 2 are kept free for those who call in"
        )
    world.later(5_000)
    polled(world, 8)
    assert take(world, "switchhook:abc:9", reserve=2).startswith("2 of 10 streams are free")
    assert take(world, "switchhook:abc:9") == ""


def test_figures_that_are_old_are_none(world):
    polled(world, 0)
    assert take(world) == ""
    world.later(61_000)
    assert take(world, "switchhook:abc:2") == "Exotel last answered 62 s ago"


def test_one_that_is_given_back_is_free_at_once(world):
    polled(world, 0, allowed=1)
    assert take(world) == ""
    world.worker.release(NAME)
    world.worker.release("switchhook:never:1")
    assert world.held == Held()
    assert take(world) == ""


STARTS = {
    "address": lambda world: asks_for_bot(world, "c1", NAME),
    "callback": lambda world: calls_back(world, "c1", "in-progress", NAME),
}


@pytest.mark.parametrize("signal", STARTS)
@pytest.mark.parametrize("named", [True, False])
def test_it_is_live_once_they_answer_whether_or_not_the_request_was_answered(world, signal, named):
    polled(world, 0)
    take(world)
    if named:
        world.worker.name(NAME, "c1")
    STARTS[signal](world)
    assert world.held == Held(0, 1)
    polled(world, 1)
    world.later(6_000)
    assert world.view.estimate.foreign == 0
    world.ends("c1")
    assert world.held == Held()


def test_a_live_one_ends_as_its_callback_is_known_to_be_over(world):
    polled(world, 0)
    take(world)
    asks_for_bot(world, "c1", NAME)
    world.worker.release(NAME)
    assert world.held == Held()


def test_one_that_nobody_answered_ends_by_its_status_callback(world):
    polled(world, 0)
    take(world)
    calls_back(world, "c1", "no-answer", NAME)
    assert world.held == Held()


def test_one_whose_answer_nobody_tells_is_live_once_it_can_ring_no_more(world):
    polled(world, 0)
    take(world)
    take(world, "switchhook:abc:2")
    world.worker.name(NAME, "c1")
    world.worker.use({"main": {}}, callbacks={"main": 25_000})
    world.later(ASKING_MS + 24_000)
    assert world.held == Held(2, 0)
    world.later(1_000)
    assert world.held == Held(1, 1)
    world.ends("c1")
    assert world.held == Held(1, 0)


def test_what_is_learnt_of_those_who_call_in_is_not_learnt_of_callbacks(world):
    polled(world, 0, allowed=1_000)
    for n in range(150):
        take(world, f"switchhook:abc:{n}")
        asks_for_bot(world, f"c{n}", f"switchhook:abc:{n}")
        world.ends(f"c{n}")
    world.later(1_000)
    assert world.view.pending_ms == 30_000


def test_a_callback_on_its_way_at_a_start_holds_its_place(world):
    world.worker = world.another()
    world.worker.hold("main", NAME, "default")
    world.worker.name(NAME, "c1")
    world.worker.hold("no such account", "switchhook:abc:2", "default")
    polled(world, 0)
    assert (world.held, world.budget.room) == (Held(1, 0), 9)
    world.ends("c1")
    assert world.held == Held()


def test_accounts_that_only_call_back_are_watched_and_tell_answer_processes_nothing(world):
    world.worker.use({}, callbacks={"main": 30_000})
    assert world.worker.accounts == ("main",)
    polled(world, 3)
    assert take(world) == ""
    assert world.budget is None
    assert world.worker.views() == []


def test_a_place_that_nobody_gives_back_is_forgotten():
    places = CallbackLeases()
    places.hold(NAME, "default", 0)
    places.name(NAME, "c1")
    places.name(NAME, "c2")
    places.name("switchhook:never:1", "c3")
    assert [places.is_of(call) for call in ("c1", "c2", "c3")] == [False, True, False]
    places.tidy(LONGEST_MS - 1)
    assert len(places) == 1
    places.tidy(LONGEST_MS)
    assert len(places) == 0
    assert not places.is_of("c2")
    assert places.leave("c2") is None
