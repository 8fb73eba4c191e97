"""A server that answers nothing is given up; any thread can end what the others wait for."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest

from cutting_proxy import proxy_to
from patience import PATIENCE_S
from switchhook.bounded_connection import EndedError, SilentError
from switchhook.errors import ClusterError
from switchhook.postgresql_server import Connector, connect, explained, is_silent


@pytest.fixture
def proxy(postgresql_schema):
    with proxy_to(postgresql_schema) as proxy:
        yield proxy


@pytest.fixture
def there(proxy, postgresql_schema):
    return proxy.url(postgresql_schema)


def test_a_server_that_answers_nothing_is_given_up(proxy, there):
    with closing(connect(there, silent_s=0.3)) as connection:
        proxy.freeze()
        with (
            pytest.raises(ClusterError, match="answered nothing for") as told,
            explained(there),
        ):
            connection.execute("SELECT 1")
        assert connection.closed
        assert is_silent(told.value.__cause__)
        assert "what lies between" in told.value.hint
        assert "password" not in told.value.hint


def test_in_a_transaction_it_is_the_same(proxy, there):
    with closing(connect(there, silent_s=0.3)) as connection:

        def work():
            with connection.transaction():
                connection.execute("SELECT 1")
                proxy.freeze()
                with connection.pipeline():
                    connection.execute("SELECT 2")

        with pytest.raises(SilentError):
            work()
        assert connection.closed


def test_what_takes_long_but_comes_is_waited_for(proxy, there):
    """Of rows that come one after the other each counts."""
    with closing(connect(there, silent_s=0.5)) as connection:
        slow = "SELECT pg_sleep(0.2), repeat('x', 20000) FROM generate_series(1, 5)"
        assert len(connection.execute(slow).fetchall()) == 5


def test_who_has_ended_a_connection_is_sure_that_nothing_more_is_written(postgresql_schema):
    """Not what its server would take at once, nor a transaction that was begun before."""
    connector = Connector(postgresql_schema)
    with closing(connect(postgresql_schema)) as beside:
        beside.execute("CREATE TABLE written (id int)")
        with closing(connect(connector)) as connection:

            def work():
                with connection.transaction():
                    connection.execute("INSERT INTO written VALUES (1)")
                    connector.close()

            with pytest.raises(EndedError):
                work()
            with pytest.raises(psycopg.OperationalError):
                connection.execute("INSERT INTO written VALUES (2)")
        with closing(connect(Connector(postgresql_schema))) as other:
            other.execute("ALTER TABLE written ADD more int")  # waits until it is undone
            assert other.execute("SELECT id FROM written").fetchall() == []


def waiting(connector, failed):
    """A thread that waits for an answer by a connection of its own."""
    ready = threading.Event()

    def wait():
        with closing(connect(connector, silent_s=None)) as connection:
            ready.set()
            try:
                connection.execute("SELECT pg_sleep(60)")
            except Exception as error:  # noqa: BLE001 - it is looked at
                failed.append(error)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    return thread


def test_where_nothing_is_answered_nobody_waits_until_something_is(postgresql_schema):
    connector = Connector(postgresql_schema)
    failed = []
    threads = [waiting(connector, failed), waiting(Connector(of=connector), failed)]
    connector.silent()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert [type(each) for each in failed] == [SilentError, SilentError]
    for each in (connector, Connector(of=connector)):
        with pytest.raises(ClusterError, match="it answers nothing"):
            connect(each)
    connect(connector, probe=True).close()
    connector.answers()
    connect(Connector(of=connector)).close()


def test_who_is_closed_connects_no_more_and_its_parent_goes_on(postgresql_schema):
    parent = Connector(postgresql_schema)
    part, failed = Connector(of=parent), []
    thread = waiting(part, failed)
    part.close()
    thread.join(PATIENCE_S)
    assert [type(each) for each in failed] == [EndedError]
    with pytest.raises(ClusterError, match="ended its connections"):
        connect(part)
    connect(parent).close()
    parent.close()
    with pytest.raises(ClusterError, match="ended its connections"):
        connect(parent)


def test_who_connects_next_goes_by_the_url_of_now(postgresql_schema):
    connector = Connector("postgresql://nobody@127.0.0.1:1/none")
    part = Connector(of=connector)
    with pytest.raises(ClusterError):
        connect(part)
    connector.use(postgresql_schema)
    connect(part).close()


def test_a_server_that_accepts_and_says_nothing_is_silent_too(proxy, there):
    proxy.freeze()
    with pytest.raises(ClusterError) as told:
        connect(there)
    assert is_silent(told.value.__cause__)
    proxy.thaw()
    with closing(connect(there)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
