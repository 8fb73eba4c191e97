"""Who leads: one at a time, for as long as the database says, whatever a node's clock does."""

from __future__ import annotations

from contextlib import closing

import pytest

from switchhook.cluster import tables
from switchhook.cluster.database_clock import steady_s
from switchhook.cluster.lease import (
    GRACE_S,
    MARGIN_S,
    RENEW_S,
    TTL_S,
    Act,
    Lease,
    Seen,
    decide,
    want,
)
from switchhook.errors import ClusterError, NotLeaderError
from switchhook.postgresql_server import Fence, connect

ONE, TWO, THREE = 1, 2, 3
OF_ANOTHER = Seen(7, TWO, 0, 5.0, None, "two", "", "active", (TWO, THREE))
OURS = OF_ANOTHER._replace(node=ONE)
OVER = OF_ANOTHER._replace(left_s=-0.1)


@pytest.mark.parametrize(
    ("seen", "held", "act"),
    [
        (OF_ANOTHER._replace(epoch=None, node=None, left_s=0), None, Act.TAKE),
        (OF_ANOTHER, None, Act.WAIT),
        (OF_ANOTHER, 6, Act.WAIT),
        (OVER, None, Act.TAKE),
        (OVER, 7, Act.TAKE),
        (OVER._replace(state="left"), None, Act.WAIT),
        (OVER._replace(state="draining"), None, Act.WAIT),
        (OVER._replace(state="draining", others=()), None, Act.TAKE),
        (OVER._replace(wanted=THREE), None, Act.WAIT),
        (OVER._replace(wanted=THREE, left_s=-GRACE_S), None, Act.TAKE),
        (OVER._replace(wanted=THREE, others=(TWO,)), None, Act.TAKE),
        (OVER._replace(wanted=ONE), None, Act.TAKE),
        (OURS, 7, Act.RENEW),
        (OURS, None, Act.WAIT),
        (OURS, 6, Act.WAIT),
        (OURS._replace(wanted=TWO), 7, Act.HAND_ON),
        (OURS._replace(wanted=ONE), 7, Act.RENEW),
        (OURS._replace(wanted=4), 7, Act.RENEW),
        (OURS._replace(state="draining"), 7, Act.HAND_ON),
        (OURS._replace(state="draining", others=()), 7, Act.RENEW),
        (OURS._replace(state="left"), 7, Act.HAND_ON),
        (OURS._replace(state="left", others=()), 7, Act.HAND_ON),
    ],
)
def test_what_a_node_does_about_it(seen, held, act):
    assert decide(seen, ONE, held) is act


class Steps:
    """A clock that goes by hand."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def shared(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        tables.bring_up(connection)
        for node in (ONE, TWO, THREE):
            asked = "INSERT INTO cluster_node (node, name, address, release)"
            values = " VALUES (%s, %s, %s, '1')"
            address = f"http://10.0.0.{node}:8081"
            connection.execute(asked + values, [node, f"n{node}", address])
        yield connection


@pytest.fixture
def nodes(shared, postgresql_schema):
    made = []

    def make(node, now_s=steady_s, ttl_s=TTL_S):
        made.append(Lease(postgresql_schema, node, now_s=now_s, ttl_s=ttl_s))
        return made[-1]

    yield make
    for each in made:
        each.close()


def run_out(connection):
    connection.execute("UPDATE cluster_lease SET expires_at = clock_timestamp()")


def epoch_of(lease):
    return None if lease.held is None else lease.held.epoch


def test_of_two_that_contend_one_leads_and_both_know_it(nodes):
    one, two = nodes(ONE), nodes(TWO)
    one.turn()
    two.turn()
    assert (epoch_of(one), epoch_of(two)) == (1, None)
    assert (two.leader.node, two.leader.name, two.leader.epoch) == (ONE, "n1", 1)
    assert two.leader.address == "http://10.0.0.1:8081"


def test_of_those_that_find_it_run_out_at_once_one_takes_it(nodes, shared):
    one, two = nodes(ONE), nodes(TWO)
    one.turn()
    run_out(shared)
    seen = one._look(one._connected())
    assert decide(seen, ONE, None) is decide(seen, TWO, None) is Act.TAKE
    two._take(two._connected(), seen.epoch)
    one._take(one._connected(), seen.epoch)
    assert (epoch_of(one), epoch_of(two)) == (None, 2)


def test_it_is_renewed_before_it_runs_out(nodes, shared):
    clock = Steps()
    lease = nodes(ONE, clock)
    lease.turn()
    shared.execute("UPDATE cluster_lease SET expires_at = expires_at - interval '3 s'")
    before = shared.execute("SELECT expires_at FROM cluster_lease").fetchone()
    lease.turn()
    assert shared.execute("SELECT expires_at FROM cluster_lease").fetchone() == before
    clock.now += RENEW_S
    lease.turn()
    assert shared.execute("SELECT expires_at FROM cluster_lease").fetchone() > before
    assert lease.held.until_s == clock.now + TTL_S - MARGIN_S


def test_who_can_not_reach_the_database_stops_before_another_may_begin(nodes, postgresql_schema):
    clock = Steps()
    lease = nodes(ONE, clock)
    lease.turn()
    lease.close()
    lease._url = "postgresql://nobody@127.0.0.1:1/nothing"
    clock.now += TTL_S - MARGIN_S - 0.1
    with pytest.raises(ClusterError):
        lease.turn()
    assert epoch_of(lease) == 1
    assert lease.problem is not None
    clock.now += 0.1
    assert lease.held is None


def test_a_node_whose_clock_steps_leads_no_longer_than_the_database_says(nodes, shared):
    """The row has no time of a node's, and what a node counts by does not step."""
    ahead, other = nodes(ONE, lambda: steady_s() + 86_400), nodes(TWO)
    ahead.turn()
    other.turn()
    assert (epoch_of(ahead), epoch_of(other)) == (1, None)
    left = "SELECT extract(epoch FROM expires_at - clock_timestamp()) FROM cluster_lease"
    assert TTL_S - 5 < shared.execute(left).fetchone()[0] <= TTL_S
    run_out(shared)
    other.turn()
    ahead.turn()
    assert (epoch_of(ahead), epoch_of(other)) == (None, 2)


def test_what_an_old_epoch_writes_is_refused(nodes, shared, postgresql_schema):
    one, two = nodes(ONE), nodes(TWO)
    one.turn()
    old = Fence(one.held.epoch, ONE)
    with closing(connect(postgresql_schema)) as connection:
        with connection.transaction():
            old.hold(connection)
        run_out(shared)
        two.turn()
        with pytest.raises(NotLeaderError), connection.transaction():
            old.hold(connection)
        with pytest.raises(NotLeaderError), connection.transaction():
            Fence(two.held.epoch, ONE).hold(connection)
        with connection.transaction():
            Fence(two.held.epoch, TWO).hold(connection)


def test_who_froze_while_it_wrote_holds_nobody_up_for_long(nodes, shared, postgresql_schema):
    one, two = nodes(ONE), nodes(TWO)
    one.turn()
    with closing(connect(postgresql_schema)) as frozen:
        frozen.execute("BEGIN")
        Fence(1, ONE).hold(frozen)
        run_out(shared)
        with pytest.raises(ClusterError, match="held it for too long"):
            two.turn()
        assert two.held is None
        end = steady_s() + 30
        while two.held is None and steady_s() < end:
            try:
                two.turn()
            except ClusterError:
                continue  # each try waits for half a second by itself
        assert epoch_of(two) == 2


def test_a_person_says_who_is_to_lead(nodes, shared):
    one, two, three = nodes(ONE), nodes(TWO), nodes(THREE)
    one.turn()
    assert want(shared, THREE)
    one.turn()
    assert one.must_hand_on
    assert epoch_of(one) == 1
    one.give_up()
    assert one.held is None
    two.turn()
    assert two.held is None
    three.turn()
    assert epoch_of(three) == 2
    assert shared.execute("SELECT wanted FROM cluster_lease").fetchone() == (None,)


def test_a_draining_leader_hands_on_while_others_are_there(nodes, shared):
    one = nodes(ONE)
    one.turn()
    shared.execute("UPDATE cluster_node SET state = 'draining' WHERE node = 1")
    shared.execute("UPDATE cluster_node SET seen_at = now() - interval '1 minute'")
    one.turn()
    assert not one.must_hand_on
    shared.execute("UPDATE cluster_node SET seen_at = clock_timestamp()")
    one.turn()
    assert one.must_hand_on


def test_who_could_not_begin_lets_others_try_first(nodes, shared):
    clock = Steps()
    one = nodes(ONE, clock)
    one.turn()
    one.give_up(rest_s=5)
    one.turn()
    assert one.held is None
    clock.now += 5
    one.turn()
    assert epoch_of(one) == 2


def test_a_connection_that_the_server_ended_is_made_anew(nodes, shared):
    lease = nodes(ONE)
    lease.turn()
    pid = lease._connected().info.backend_pid
    shared.execute("SELECT pg_terminate_backend(%s)", [pid])
    with pytest.raises(ClusterError):
        lease.turn()
    lease.turn()
    assert epoch_of(lease) == 1
    assert lease.problem is None


def test_nobody_is_known_to_lead_any_more_once_it_has_run_out(nodes):
    clock = Steps()
    one, two = nodes(ONE), nodes(TWO, clock)
    one.turn()
    two.turn()
    assert two.leader is not None
    clock.now += TTL_S
    assert two.leader is None
