"""Room is dealt out among nodes so that all together never let in more than there is room for."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.capacity.facts_document import BUDGETS_LIVE_MS
from switchhook.routes.dealing import LIVES_MS, OURSELVES, TURN_MS, Dealer, in_turn, split

NOW = 1_000_000


def test_one_node_has_all_of_it():
    """As on one machine: whatever it was told before, it goes by what is."""
    dealer = Dealer()
    assert dealer.deal(12, {7: None}, NOW) == {7: 12}
    assert dealer.deal(3, {7: None}, NOW + 100) == {7: 3}
    assert dealer.deal(20, {7: None}, NOW + 200) == {7: 20}


def test_it_is_dealt_evenly_and_who_has_one_more_takes_turns():
    had = Counter()
    for turn in range(4):
        had += Counter(Dealer().deal(14, dict.fromkeys((1, 2, 3, 4)), NOW + turn * TURN_MS))
    assert had == {1: 14, 2: 14, 3: 14, 4: 14}
    assert Dealer().deal(0, {1: None, 2: None}, NOW) == {1: 0, 2: 0}
    assert Dealer().deal(5, {}, NOW) == {}


def test_what_a_node_may_still_use_is_nobody_elses():
    dealer = Dealer()
    dealer.deal(10, {1: None}, NOW)
    assert dealer.deal(10, {1: None, 2: None}, NOW + 100) == {1: 5, 2: 0}
    for _ in range(4):
        dealer.took(1, 1)
    # Six are left: node 1 may still let in six by what it was told first.
    assert dealer.deal(6, {1: None, 2: None}, NOW + 200) == {1: 3, 2: 0}
    # It goes by what it was told second now: five, less four that it let in.
    assert dealer.deal(6, {1: NOW + 199, 2: None}, NOW + 300) == {1: 3, 2: 3}


def test_a_node_that_is_away_keeps_nothing_once_its_budget_has_run_out():
    dealer = Dealer()
    dealer.deal(10, {1: None, 2: None}, NOW)
    dealer.took(2, 1)
    assert dealer.deal(9, {1: None}, NOW + 1_000) == {1: 5}
    assert BUDGETS_LIVE_MS < LIVES_MS
    assert dealer.deal(9, {1: None}, NOW + LIVES_MS + 1) == {1: 9}


def test_what_another_leader_told_is_known():
    dealer = Dealer()
    dealer.found(1, 4, NOW - 2_000, 0)
    dealer.took(1, 1)
    assert dealer.deal(8, {1: None, 2: None}, NOW) == {1: 4, 2: 4}
    dealer = Dealer()
    dealer.found(1, 8, NOW - 2_000, 1)
    assert dealer.deal(8, {1: None, 2: None}, NOW)[2] == 0


def test_whoever_can_use_little_leaves_the_rest_to_others():
    dealer = Dealer()
    nodes = {1: None, 2: None, OURSELVES: NOW}
    assert dealer.deal(9, nodes, NOW, {OURSELVES: 1}) == {1: 4, 2: 4, OURSELVES: 1}
    assert dealer.left(OURSELVES, NOW) == 1
    dealer.took(OURSELVES, 1)
    assert dealer.left(OURSELVES, NOW) == 0
    assert dealer.left(1, NOW + LIVES_MS + 1) == 0


def test_reserves_are_split_as_room_is():
    order = in_turn((1, 2, 3), NOW)
    for room in range(30):
        for reserve in range(10):
            rooms, kept = split(room, order), split(reserve, order)
            given_out = sum(max(0, rooms[each] - kept[each]) for each in order)
            assert given_out == max(0, room - reserve)


@given(chance=st.randoms(use_true_random=False), nodes=st.integers(1, 5))
def test_all_together_never_let_in_more_than_there_is_room_for(chance, nodes):
    """Whatever they go by, whenever they come to know of it, whichever of them are there.

    But whom a node let in is known before the telling that it went by has run out.
    """
    dealer, limit, now_ms = Dealer(), chance.randint(0, 8), NOW
    taken, untold = 0, {node: deque() for node in range(nodes)}  # by what they were let in
    told = {node: deque([(0, NOW, 0)]) for node in range(nodes)}  # each: room, at, used; in order
    acked = dict[int, list[tuple[int | None, int]]]()  # each: at, and how many it had let in
    acked.update((node, [(None, 0)]) for node in range(nodes))
    used = Counter()
    for _ in range(300):
        now_ms += chance.randint(1, 400)
        for node, let_in in untold.items():
            while let_in and now_ms - let_in[0] > LIVES_MS:
                let_in.popleft()
                dealer.took(node, 1)
        node = chance.randrange(nodes)
        room, at_ms, before = told[node][0]
        match chance.choice(["deal", "admit", "admit", "hear", "see", "see", "end"]):
            case "deal":
                there = [each for each in range(nodes) if chance.random() < 0.8]
                # It knows nothing of the untold, which count against what it deals out.
                known = limit - taken + sum(map(len, untold.values()))
                heard = {n: used[n] - len(untold[n]) for n in there}
                has = {n: [at for at, let_in in acked[n] if let_in <= heard[n]][-1] for n in there}
                for each, share in dealer.deal(known, has, now_ms).items():
                    told[each].append((share, now_ms, used[each] - len(untold[each])))
            case "see" if len(told[node]) > 1:
                told[node].popleft()
                if chance.random() < 0.5:
                    acked[node].append((told[node][0][1], used[node]))
            case "admit" if room > used[node] - before and now_ms - at_ms <= BUDGETS_LIVE_MS:
                taken += 1
                used[node] += 1
                untold[node].append(at_ms)
            case "hear" if untold[node]:
                untold[node].popleft()
                dealer.took(node, 1)
            case "end" if taken > sum(map(len, untold.values())):
                taken -= 1
        assert taken <= limit


class Line:
    """Nodes that let callers in, a leader that hears of it late, and what it tells, later still.

    Times in ms. Records reach the leader late, what is told a node as well, and that a node goes by
    it the leader with the next of its heartbeats, which says what the journal had until then.
    """

    def __init__(self, nodes, limit, *, every_ms, deals, seed=1):
        self.nodes, self.limit, self.every_ms, self.deals = nodes, limit, every_ms, deals
        self.chance, self.events, self.order = random.Random(seed), [], 0
        self.dealer, self.has = Dealer(), dict.fromkeys(range(nodes))
        self.goes_by = dict.fromkeys(range(nodes), (0, 0))  # room, and at which place it counts
        self.admitted, self.heard = Counter(), Counter()  # by node
        self.running = self.known = self.served = self.throttled = self.most = 0

    def later(self, at_ms, act, *given):
        self.order += 1
        heapq.heappush(self.events, (at_ms, self.order, act, given))

    def run(self, calls, *, talk_s=60.0, load=1.5):
        at_ms = 0.0
        for _ in range(calls):
            at_ms += self.chance.expovariate(self.limit * load / talk_s) * 1000
            self.later(at_ms, self.asks, self.chance.randrange(self.nodes), talk_s)
        self.later(0, self.tell)
        while self.events and self.events[0][0] <= at_ms:
            now_ms, _, act, given = heapq.heappop(self.events)
            act(now_ms, *given)
        return self

    def asks(self, now_ms, node, talk_s):
        room, since = self.goes_by[node]
        if room - (self.admitted[node] - since) <= 0:
            return
        self.admitted[node] += 1
        self.served += 1
        self.running += 1
        self.throttled += self.running > self.limit
        heard_ms = now_ms + self.chance.uniform(100, 600)
        self.later(heard_ms, self.hears, node)
        ends_ms = now_ms + self.chance.expovariate(1 / talk_s) * 1000
        self.later(ends_ms, self.ends)
        self.later(max(heard_ms, ends_ms + self.chance.uniform(100, 600)), self.hears_end)

    def ends(self, _):
        self.running -= 1

    def hears(self, _, node):
        self.heard[node] += 1
        self.known += 1
        self.dealer.took(node, 1)

    def hears_end(self, _):
        self.known -= 1

    def tell(self, now_ms):
        self.later(now_ms + self.every_ms, self.tell)
        room = max(0, self.limit - self.known)
        rooms = dict.fromkeys(range(self.nodes), room)
        if self.deals:
            rooms = self.dealer.deal(room, dict(self.has), int(now_ms))
        for node, each in rooms.items():
            goes_by = each, self.heard[node]
            self.later(now_ms + self.chance.uniform(50, 350), self.is_told, node, goes_by, now_ms)

    def is_told(self, now_ms, node, goes_by, told_ms):
        self.goes_by[node] = goes_by
        acked_ms = now_ms + self.chance.uniform(600, 1_900)
        self.later(acked_ms, self.acked, node, int(told_ms), self.admitted[node])

    def acked(self, now_ms, node, told_ms, through):
        if self.heard[node] < through:
            self.later(now_ms + 100, self.acked, node, told_ms, through)
            return
        self.has[node] = max(self.has[node] or 0, told_ms)


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [4, 8])
@pytest.mark.parametrize("every_ms", [100, 1_000])
def test_many_nodes_throttle_nobody_and_serve_nearly_as_many(nodes, every_ms):
    """After facts.md 5.4, with records and tellings that come late, too."""
    calls, limit = 28_200, 500
    one = Line(1, limit, every_ms=every_ms, deals=True).run(calls)
    shared = Line(nodes, limit, every_ms=every_ms, deals=False).run(calls)
    dealt = Line(nodes, limit, every_ms=every_ms, deals=True).run(calls)
    assert shared.throttled > 100  # where each takes the shared figure for its own
    assert dealt.throttled == 0
    assert dealt.served > 0.97 * one.served
