"""How we reach PostgreSQL: found, explained without secrets, fenced by the lease's epoch."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import psycopg
import pytest
from sqlalchemy import make_url

from patience import PATIENCE_S
from postgresql import role
from switchhook.cluster import tables
from switchhook.errors import ClusterError, LedgerError, NotLeaderError
from switchhook.exotel.phone_numbers import mask_text
from switchhook.postgresql_server import (
    Connector,
    Fence,
    application_name,
    connect,
    explained,
    in_short,
    is_away,
    is_lost,
    name_of,
)
from switchhook.server.tables import open_ledger


@pytest.fixture
def shared(postgresql_schema):
    """Two connections to one database with the cluster's tables, and node 7 leading it."""
    with closing(connect(postgresql_schema)) as one, closing(connect(postgresql_schema)) as other:
        tables.bring_up(one)
        tables.bring_up(other)
        one.execute(
            "INSERT INTO cluster_lease VALUES"
            " (3, 7, clock_timestamp(), clock_timestamp() + interval '1 minute')"
        )
        yield one, other


def test_its_name_holds_no_password():
    assert (
        name_of("postgresql://asha:geheim@a,b:1/x?password=geheim") == "postgresql://asha@a, b:1/x"
    )
    with pytest.raises(ClusterError) as refused:
        connect("postgresql://asha:geheim@127.0.0.1:1/x", connect_timeout="1")
    assert "geheim" not in str(refused.value)
    assert "postgresql://asha@127.0.0.1:1/x" in str(refused.value)


def test_the_addresses_of_its_hosts_are_no_telephone_number():
    named = name_of("postgresql://u:geheim@10.0.0.11:5432,10.0.0.12:5432,10.0.0.13:5432/x")
    assert named == "postgresql://u@10.0.0.11:5432, 10.0.0.12:5432, 10.0.0.13:5432/x"
    assert mask_text(named) == named


@pytest.mark.parametrize(
    ("node", "shown"),
    [
        ("mumbai-1", "switchhook mumbai-1 heartbeat"),
        ("", "switchhook heartbeat"),
        ("मुंबई 1", "switchhook ????? 1 heartbeat"),
        ("n" * 80, f"switchhook {'n' * 42} heartbeat"),
    ],
)
def test_the_server_shows_which_node_holds_a_connection_and_for_what(
    postgresql_schema, node, shown
):
    connector = Connector(of=Connector(postgresql_schema, node=node))
    asked = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    with closing(connect(connector, "heartbeat", application_name="other")) as connection:
        assert connection.execute(asked).fetchone() == (shown,)
    with closing(open_ledger(connector)) as ledger, ledger.reading() as reading:
        of_ledger = application_name(connector, "ledger")
        assert reading.exec_driver_sql(asked).scalar_one() == of_ledger
    assert len(shown) <= 63


def test_the_leader_writes_while_its_epoch_leads(shared):
    one, _ = shared
    with one.transaction():
        Fence(3).hold(one)
    with pytest.raises(NotLeaderError, match=r"leads no more \(epoch 2\)"), one.transaction():
        Fence(2).hold(one)
    one.execute("UPDATE cluster_lease SET expires_at = clock_timestamp()")
    with pytest.raises(NotLeaderError), one.transaction():
        Fence(3).hold(one)


def test_renewing_waits_for_no_write_and_taking_over_waits_for_all(shared):
    one, other = shared
    other.execute("SET lock_timeout = '200ms'")
    with one.transaction():
        Fence(3).hold(one)
        other.execute("UPDATE cluster_lease SET expires_at = expires_at + interval '1 minute'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE cluster_lease SET epoch = epoch + 1, node = 8")
    other.execute("UPDATE cluster_lease SET epoch = epoch + 1, node = 8")
    with pytest.raises(NotLeaderError), one.transaction():
        Fence(3).hold(one)


def test_a_connection_to_a_standby_or_one_that_was_ended_is_lost(shared, postgresql_schema):
    one, other = shared
    one.execute("SET default_transaction_read_only = on")
    with pytest.raises(psycopg.Error) as refused:
        one.execute("INSERT INTO cluster_placed VALUES (1, 1)")
    assert is_lost(refused.value)
    with pytest.raises(psycopg.Error) as wrong:
        one.execute("SELECT nothing")
    assert not is_lost(wrong.value)
    other.execute("SELECT pg_terminate_backend(%s)", [one.info.backend_pid])
    with (
        pytest.raises(ClusterError, match=r"next one is a new one|server closed") as ended,
        explained(postgresql_schema),
    ):
        one.execute("SELECT 1")
    assert isinstance(ended.value.__cause__, psycopg.Error)
    assert is_lost(ended.value.__cause__)


def test_a_server_without_room_is_told_in_words_and_used_once_there_is_some(
    postgresql_schema,
):
    """libpq says of it no more than the server's words."""
    said = "its server has no connection left for this node"
    with (
        closing(connect(postgresql_schema)) as beside,
        role(beside, "CONNECTION LIMIT 0") as few,
    ):
        url = postgresql_schema.replace("postgres@", f"{few}@")
        with pytest.raises(ClusterError) as refused:
            connect(url)
        with pytest.raises(LedgerError) as of_ledger:
            open_ledger(url)
        for error in (refused.value, of_ledger.value):
            assert (error.problem, in_short(error)) == (said, said)
            assert "switchhook doctor" in error.hint
        beside.execute(f"ALTER ROLE {few} CONNECTION LIMIT 1".encode())
        connect(url).close()


@pytest.mark.parametrize("asked", ["SELECT 70000::smallint", "SELECT 1 / 0"])
def test_what_a_server_refuses_that_was_reached_is_not_put_on_the_way_to_it(
    postgresql_schema, asked
):
    with (
        closing(connect(postgresql_schema)) as connection,
        pytest.raises(ClusterError, match=r"SQLSTATE (22003|22012)") as refused,
        explained(postgresql_schema),
    ):
        connection.execute(asked.encode())
    assert "password" not in refused.value.hint


@pytest.mark.parametrize(
    ("asked", "said", "todo"),
    [
        ("SELECT * FROM cluster", "a table of the nodes is missing in it", "from its backup"),
        ("SELECT nothing", "its tables are none that this release knows", "one version apart"),
        (
            "SET search_path = gone; CREATE TABLE a ()",
            "its schema is not there",
            "mend the search_path",
        ),
    ],
)
def test_a_database_that_is_empty_or_anothers_is_told_in_words(
    postgresql_schema, asked, said, todo
):
    with (
        closing(connect(postgresql_schema)) as connection,
        pytest.raises(ClusterError) as refused,
        explained(postgresql_schema),
    ):
        connection.execute(asked.encode())
    assert said in refused.value.problem
    assert todo in refused.value.hint
    assert (in_short(refused.value), is_away(refused.value)) == (refused.value.problem, False)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"port": 1}, "this node can't reach its server"),
        ({"database": "nowhere"}, "its server answers, and does not let this node in"),
    ],
)
def test_what_strangers_hear_names_no_machine_and_no_user(postgresql_schema, place, said):
    url = make_url(postgresql_schema).set(**place).render_as_string(hide_password=False)
    with pytest.raises(ClusterError) as refused:
        connect(url)
    with pytest.raises(LedgerError) as of_ledger:
        open_ledger(url)
    for error in (refused.value, of_ledger.value):
        assert (in_short(error), is_away(error)) == (said, True)


def test_what_no_server_refused_is_heard_as_it_is():
    error = ClusterError("postgresql://u@db1/x", "it has no node 7", "look")
    assert (in_short(error), is_away(error)) == ("it has no node 7", False)


@pytest.mark.process
def test_threads_that_connect_first_at_once_find_all_of_psycopg():
    """Half of it killed a node's heartbeat: it imports itself in a circle."""
    code = """
import threading
from switchhook.errors import ClusterError, LedgerError
from switchhook.postgresql_server import connect
from switchhook.server.tables import open_ledger
failed, begin = [], threading.Barrier(8)
def run(number):
    begin.wait()
    try:
        (open_ledger if number % 2 else connect)("postgresql://127.0.0.1:1/none")
    except (ClusterError, LedgerError):
        pass
    except BaseException as error:
        failed.append(repr(error))
threads = [threading.Thread(target=run, args=[number]) for number in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(failed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.process
@pytest.mark.parametrize(
    ("psycopg", "said"),
    [
        (
            "raise ModuleNotFoundError('no', name='psycopg')",
            'psycopg is not installed (pip install "switchhook[postgres]")',
        ),
        (
            "raise ImportError('no pq wrapper available.\\nmore')",
            "psycopg can't be loaded: no pq wrapper available.",
        ),
    ],
)
def test_where_psycopg_cant_be_loaded_a_sentence_says_so(tmp_path, psycopg, said):
    (tmp_path / "psycopg").mkdir()
    (tmp_path / "psycopg/__init__.py").write_text(f"{psycopg}\n")
    file = tmp_path / "switchhook.toml"
    file.write_text('data = "data"\n[cluster]\ndatabase = "postgresql://127.0.0.1:1/none"\n')
    for words in (("cluster", "status"), ("serve",)):
        done = subprocess.run(
            [sys.executable, "-m", "switchhook", *words, "--config", str(file)],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            timeout=PATIENCE_S,
        )
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
