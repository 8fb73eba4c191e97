"""The journal is handed over whatever the database does, and nobody else notices what it does."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import postgresql as found
from cutting_proxy import Cut, proxy_to
from node_journal import CLUSTER, NODE, NodeJournal, make_cluster, node_journal
from program import until
from switchhook.cluster.hand_over_state import HandOverState, read_state, write_state
from switchhook.cluster.shipping import MOST_WAITING, Shipping
from switchhook.postgresql_server import connect


@pytest.fixture
def journal(tmp_path):
    with node_journal(tmp_path / "journal") as journal:
        yield journal


@pytest.fixture
def database(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        make_cluster(connection)
        yield connection


class Kept:
    """What the shipper says is kept twice."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def __call__(self, seq: int) -> None:
        self.told.append(seq)

    @property
    def up_to(self) -> int:
        return self.told[-1] if self.told else -1

    def wait(self, seq: int) -> None:
        until(lambda: self.up_to == seq, f"record {seq} to be kept twice")


@contextmanager
def shipping(url: str, journal: NodeJournal, kept: Kept, hang_s: float = 3.0) -> Iterator[Shipping]:
    shipping = Shipping(url, journal.reader, NODE, CLUSTER, kept=kept, hang_s=hang_s)
    shipping.start()
    try:
        yield shipping
    finally:
        shipping.stop()


def seqs(database: psycopg.Connection) -> list[int]:
    rows = database.execute("SELECT seq FROM cluster_receipt WHERE node = %s ORDER BY seq", [NODE])
    return [seq for (seq,) in rows]


def test_what_comes_is_handed_over_and_told(journal, database, postgresql_schema):
    kept = Kept()
    with shipping(postgresql_schema, journal, kept) as shipped:
        kept.wait(0)
        for _ in range(3):
            last = journal.write([b"one", b"two"])
            shipped.hint()
            kept.wait(last)
        assert shipped.state == HandOverState(handed=6, kept_twice=6)
    assert seqs(database) == [1, 2, 3, 4, 5, 6]
    assert kept.told == sorted(kept.told)


def test_at_rest_the_database_learns_that_it_has_all(journal, database, postgresql_schema):
    """By the next record else, which may be long in coming: and until then segments stay."""
    last = journal.write([b"one", b"two"])
    shipping = Shipping(
        postgresql_schema, journal.reader, NODE, CLUSTER, kept=lambda _: None, settle_s=0.1
    )
    shipping.start()
    asked = "SELECT seq, confirmed FROM cluster_handed"
    until(lambda: database.execute(asked).fetchone() == (last, last), "it to be noted")
    shipping.stop()


def test_at_rest_a_database_that_was_restored_gets_what_it_lacks(
    journal, database, postgresql_schema
):
    """Nobody calls at night, and its records would be missed until somebody does."""
    last, kept = journal.write([b"one", b"two"]), Kept()
    shipping = Shipping(
        postgresql_schema, journal.reader, NODE, CLUSTER, kept=kept, settle_s=0.1, rest_s=0.1
    )
    shipping.start()
    kept.wait(last)
    with database.transaction():
        database.execute("UPDATE cluster_handed SET seq = 0, hash = 0, confirmed = 0")
        database.execute("DELETE FROM cluster_receipt")
    until(lambda: seqs(database) == [1, 2], "the same to be handed over again")
    shipping.stop()


def test_at_rest_a_server_that_ends_the_connection_is_asked_at_once(
    journal, database, postgresql_schema
):
    """It was restarted, or a backup restored in its place: what it lacks is not missed for long."""
    last = journal.write([b"one", b"two"])
    with proxy_to(postgresql_schema) as proxy:
        url = proxy.url(postgresql_schema)
        shipping = Shipping(
            url, journal.reader, NODE, CLUSTER, kept=lambda _: None, settle_s=0.1, rest_s=1e6
        )
        shipping.start()
        asked = "SELECT seq, confirmed FROM cluster_handed"
        until(lambda: database.execute(asked).fetchone() == (last, last), "it to rest")
        with database.transaction():
            database.execute("UPDATE cluster_handed SET seq = 0, hash = 0, confirmed = 0")
            database.execute("DELETE FROM cluster_receipt")
        proxy.cut_all()
        until(lambda: seqs(database) == [1, 2], "the same to be handed over again")
        shipping.stop()


def test_the_database_away_is_said_and_all_arrives_later(journal, database, postgresql_schema):
    kept = Kept()
    with (
        proxy_to(postgresql_schema) as proxy,
        shipping(proxy.url(postgresql_schema), journal, kept) as shipped,
    ):
        journal.write([b"before"])
        kept.wait(1)
        proxy.away = True
        proxy.cut_all()
        journal.write([b"meanwhile"] * 5)
        problem = until(lambda: shipped.state.problem, "the problem to be said")
        assert "cluster's database postgresql://" in problem
        assert shipped.state.since_ms > 0
        assert kept.up_to == 1
        proxy.away = False
        kept.wait(6)
        assert shipped.state.problem == ""
    assert seqs(database) == [1, 2, 3, 4, 5, 6]


def test_a_database_that_answers_nothing_is_not_said_to_wait_for_a_standby(
    journal, database, postgresql_schema
):
    with (
        proxy_to(postgresql_schema) as proxy,
        shipping(proxy.url(postgresql_schema), journal, kept := Kept(), hang_s=0.2) as shipped,
    ):
        journal.write([b"before"])
        kept.wait(1)
        proxy.freeze()
        journal.write([b"meanwhile"])
        problem = until(lambda: shipped.state.problem, "the problem to be said")
        assert re.fullmatch(r"the database has answered nothing since \d\d:\d\d IST", problem)
        assert shipped.state.since_ms > 0
        proxy.thaw()
        kept.wait(2)
        assert shipped.state.problem == ""
    assert seqs(database) == [1, 2]


def test_a_database_that_takes_long_is_not_said_to_wait_for_a_standby(
    journal, database, postgresql_schema
):
    database.execute("CREATE TABLE slow (i int); INSERT INTO slow VALUES (1)")
    database.execute(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " WHILE EXISTS (SELECT FROM slow) LOOP PERFORM pg_sleep(0.05); END LOOP;"
        " RETURN NEW; END $$"
    )
    database.execute(
        "CREATE TRIGGER slowly BEFORE INSERT ON cluster_receipt"
        " FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    journal.write([b"one"])
    with shipping(postgresql_schema, journal, kept := Kept(), hang_s=0.2) as shipped:
        problem = until(lambda: shipped.state.problem, "the problem to be said")
        assert re.fullmatch(
            r"the database takes long: what was handed over waits there since \d\d:\d\d IST",
            problem,
        )
        database.execute("DELETE FROM slow")
        kept.wait(1)
        assert shipped.state.problem == ""
    assert seqs(database) == [1]


def test_until_the_database_says_how_far_it_is_what_was_known_before_holds(journal):
    before = HandOverState(handed=7, kept_twice=5)
    url = "postgresql://nobody@127.0.0.1:1/none"
    shipped = Shipping(url, journal.reader, NODE, CLUSTER, kept=Kept(), state=before)
    shipped.start()
    try:
        until(lambda: shipped.state.problem, "the problem to be said")
        assert (shipped.state.handed, shipped.state.kept_twice) == (7, 5)
    finally:
        shipped.stop()


def test_a_connection_that_its_server_ended_is_replaced(journal, database, postgresql_schema):
    kept = Kept()
    with shipping(postgresql_schema, journal, kept):
        for last in (1, 2, 3):
            journal.write([b"more"])
            kept.wait(last)
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
    assert seqs(database) == [1, 2, 3]


def test_a_conflict_is_a_problem_with_a_name(journal, database, postgresql_schema):
    journal.write([b"mine"])
    database.execute(
        "INSERT INTO cluster_handed (node, seq, segment, hash, numbers) VALUES (%s, 1, '', 5, 5)",
        [NODE],
    )
    with shipping(postgresql_schema, journal, kept := Kept()) as shipped:
        until(lambda: shipped.state.conflict, "the conflict")
        assert "its data folder is a copy of node 7's" in shipped.state.problem
        assert kept.told == []
    assert seqs(database) == []


def test_without_room_in_the_database_it_is_said_and_gone_on_after(
    journal, database, postgresql_schema
):
    database.execute(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'; END $$"
    )
    database.execute(
        "CREATE TRIGGER no_room BEFORE INSERT ON cluster_receipt"
        " FOR EACH ROW EXECUTE FUNCTION no_room()"
    )
    journal.write([b"one"])
    with shipping(postgresql_schema, journal, kept := Kept()) as shipped:
        until(lambda: "the disk of its server is full" in shipped.state.problem, "the problem")
        # To drop the trigger would lock what is inserted into: who waits for whom is chance.
        database.execute(
            "CREATE OR REPLACE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'"
        )
        kept.wait(1)
    assert seqs(database) == [1]


CUTS = st.lists(
    st.builds(Cut, st.none() | st.integers(0, 20_000), st.none() | st.integers(0, 8_000)),
    max_size=6,
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS, groups=st.lists(st.integers(1, 40), min_size=1, max_size=4))
def test_however_connections_are_cut_each_record_is_there_once(
    cuts, groups, tmp_path_factory, database, postgresql_schema
):
    database.execute("TRUNCATE cluster_receipt, cluster_handed, cluster_conflict")
    kept = Kept()
    with (
        node_journal(tmp_path_factory.mktemp("cut") / "journal") as journal,
        proxy_to(postgresql_schema, cuts) as proxy,
        shipping(proxy.url(postgresql_schema), journal, kept) as shipped,
    ):
        for group in groups:
            last = journal.write([b"x" * 100] * group)
            shipped.hint()
        kept.wait(last)
    assert seqs(database) == list(range(1, last + 1))
    assert database.execute("SELECT * FROM cluster_conflict").fetchall() == []


@pytest.fixture(scope="module")
def postgresql_server():
    """A server whose commits can be made to wait: that is the whole server's business."""
    with found.own_server() as url:
        if url is None:
            pytest.skip(found.NONE)
        yield url


@pytest.fixture
def waiting(postgresql_server):
    """A schema's URL and a connection that waits for nobody; commits wait after `waits(True)`."""
    with found.schema(postgresql_server) as url, closing(found.connect(url)) as connection:
        make_cluster(connection)
        connection.execute("SET synchronous_commit = local")

        def waits(wanted: bool) -> None:
            name = "'nobody'" if wanted else "''"
            connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = {name}".encode())
            connection.execute("SELECT pg_reload_conf()")
            shown = "nobody" if wanted else ""
            until(
                lambda: connection.execute("SHOW synchronous_standby_names").fetchone() == (shown,),
                "the setting",
            )

        yield found.text_of(url), connection, waits
        waits(False)


@pytest.fixture
def small_disk(postgresql_server, tmp_path):
    """The URL of a database whose tables are on a disk of 12 MB, and what makes it larger."""
    place = Path(tempfile.mkdtemp(prefix="switchhook-small-"))

    def mount(*options: str) -> None:
        words = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(place)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mount isn't permitted here: {done.stderr}")

    mount("size=12m")
    try:
        owner = pwd.getpwnam("postgres")
        os.chown(place, owner.pw_uid, owner.pw_gid)
        with closing(found.connect(postgresql_server)) as connection:
            connection.execute(f"CREATE TABLESPACE small LOCATION '{place}'".encode())
            connection.execute("CREATE DATABASE small TABLESPACE small")
            yield (
                found.text_of(postgresql_server.set(database="small")),
                lambda: mount("remount", "size=100m"),
            )
            connection.execute("DROP DATABASE small WITH (FORCE)")
            connection.execute("DROP TABLESPACE small")
    finally:
        subprocess.run(["umount", str(place)], check=False)
        place.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system needs root on Linux")
def test_a_full_disk_of_the_database_is_said_and_all_arrives_once_there_is_room(
    journal, small_disk
):
    url, make_room = small_disk
    with closing(connect(url)) as connection:
        make_cluster(connection)
    for _ in range(8):
        last = journal.write([os.urandom(1000)] * 1000)
    with shipping(url, journal, kept := Kept()) as shipped:
        until(lambda: "the disk of its server is full" in shipped.state.problem, "the problem")
        before = shipped.state.handed
        assert before < last
        make_room()
        kept.wait(last)
    with closing(connect(url)) as connection:
        assert seqs(connection) == list(range(1, last + 1))


_WAITERS = (
    "SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND datname = current_database()"
)


def waiters(connection: psycopg.Connection) -> list[int]:
    return [pid for (pid,) in connection.execute(_WAITERS)]


def test_a_cancelled_wait_is_not_kept_twice_until_a_clean_commit_follows(journal, waiting):
    url, connection, waits = waiting
    with shipping(url, journal, kept := Kept(), hang_s=60) as shipped:
        kept.wait(0)
        waits(True)
        journal.write([b"one"])
        for _ in range(2):  # the record, and then the question whether a standby has it
            pid = until(lambda: waiters(connection), "a commit that waits")[0]
            connection.execute("SELECT pg_cancel_backend(%s)", [pid])
            until(lambda: shipped.state.handed == 1, "the warning to have come")
        assert seqs(connection) == [1]
        assert kept.up_to == 0
        row = connection.execute("SELECT confirmed FROM cluster_handed").fetchone()
        assert row == (0,)
        waits(False)
        kept.wait(1)
        assert shipped.state == HandOverState(handed=1, kept_twice=1)


def test_at_most_two_connections_wait_and_none_is_cancelled(journal, waiting):
    url, connection, waits = waiting
    connections = (
        "SELECT count(*) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database() AND backend_type = 'client backend'"
    )
    with shipping(url, journal, kept := Kept(), hang_s=0.2) as shipped:
        kept.wait(0)
        waits(True)
        journal.write([b"one"])
        (first,) = until(lambda: waiters(connection), "a commit that waits")
        until(lambda: "waits for a standby" in shipped.state.problem, "it to be said")
        seen = 0
        for _ in range(2):  # each second one that comes has to wait for the first one's row
            until(
                lambda: (
                    connection.execute(connections + " AND wait_event_type = 'Lock'").fetchone()
                    != (0,)
                ),
                "a second connection",
            )
            row = connection.execute(connections).fetchone()
            assert row is not None
            seen = max(seen, row[0])
            assert waiters(connection) == [first]
            until(
                lambda: (
                    connection.execute(connections + " AND wait_event_type = 'Lock'").fetchone()
                    == (0,)
                ),
                "its end",
            )
        assert seen <= MOST_WAITING
        assert kept.up_to == 0
        waits(False)
        kept.wait(1)
        assert shipped.state.problem == ""
    assert seqs(connection) == [1]


def test_without_a_standby_from_the_start_it_is_said_at_once(journal, waiting):
    url, connection, waits = waiting
    waits(True)
    journal.write([b"one"])
    with shipping(url, journal, kept := Kept(), hang_s=0.2) as shipped:
        until(lambda: "waits for a standby" in shipped.state.problem, "it to be said")
        assert kept.told == []
        waits(False)
        kept.wait(1)
    assert seqs(connection) == [1]


def test_what_a_killed_shipper_left_waiting_is_waited_for(journal, database, postgresql_schema):
    """Its server process goes on waiting, and holds the row."""
    journal.write([b"one"])
    with shipping(postgresql_schema, journal, kept := Kept()):
        kept.wait(1)
    journal.write([b"two"])
    with closing(connect(postgresql_schema)) as left, left.transaction():
        left.execute("UPDATE cluster_handed SET at = at")
        with shipping(postgresql_schema, journal, kept) as shipped:
            until(lambda: "an earlier hand-over" in shipped.state.problem, "it to be said")
            assert "standby" not in shipped.state.problem
    with shipping(postgresql_schema, journal, kept):
        kept.wait(2)
    assert seqs(database) == [1, 2]


def test_who_was_ended_while_it_waited_is_looked_after_by_the_next(journal, waiting):
    url, connection, waits = waiting
    with shipping(url, journal, kept := Kept(), hang_s=60):
        kept.wait(0)
        waits(True)
        journal.write([b"one"])
        (pid,) = until(lambda: waiters(connection), "a commit that waits")
        connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        until(lambda: waiters(connection) not in ([], [pid]), "the next one")
        assert kept.up_to == 0
        waits(False)
        kept.wait(1)
    assert seqs(connection) == [1]


def test_to_stop_waits_for_no_commit(journal, waiting):
    url, connection, waits = waiting
    with shipping(url, journal, kept := Kept(), hang_s=60):
        kept.wait(0)
        waits(True)
        journal.write([b"one"])
        until(lambda: waiters(connection), "a commit that waits")
    threads = [each.name for each in threading.enumerate()]
    assert "hand-over" not in threads
    waits(False)
    until(lambda: seqs(connection) == [1], "the commit to end by itself")


def test_its_state_is_in_a_file_that_is_never_half(tmp_path):
    assert read_state(tmp_path) is None
    state = HandOverState("the disk of its server is full", 1_764_000_000_000, 7, 5)
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    file = tmp_path / "hand-over.json"
    assert file.stat().st_mode & 0o777 == 0o600
    file.write_bytes(file.read_bytes().replace(b"7", b"8"))
    assert read_state(tmp_path) is None
