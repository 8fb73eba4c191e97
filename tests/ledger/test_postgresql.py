"""A ledger in PostgreSQL: what is said where it can't be reached, and how it is found again."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing

import pytest
from sqlalchemy import Column, MetaData, Table, insert, make_url, select

import postgresql as server
from switchhook.cluster import tables
from switchhook.errors import LedgerError, NotLeaderError
from switchhook.ledger import postgresql
from switchhook.ledger.database import Ledger
from switchhook.ledger.postgresql_text import escaped, unescaped
from switchhook.ledger.sql import STRICT, Blob, Number, Text, add_column
from switchhook.postgresql_server import Fence

TABLES = MetaData()
things = Table("things", TABLES, Column("id", Number, primary_key=True), **STRICT)


def made(connection):
    TABLES.create_all(connection)


@pytest.fixture
def ledger(postgresql_schema):
    ledger = Ledger(postgresql_schema, [made], [TABLES])
    yield ledger
    ledger.close()


@pytest.fixture
def beside(postgresql_schema):
    """Another connection to the same schema."""
    with closing(server.connect(make_url(postgresql_schema))) as connection:
        yield connection


def refused(url):
    with pytest.raises(LedgerError) as found:
        Ledger(url, [made], [TABLES])
    return str(found.value)


SAMPLED = "SELECT tablename, attname FROM pg_stats WHERE schemaname = current_schema()"


def test_of_texts_the_server_keeps_no_samples(postgresql_schema, beside):
    """Nor of those that a later step adds."""
    topic = MetaData()
    columns = Column("by", Text, nullable=False), Column("body", Blob), Column("at_ms", Number)
    people = Table("people", topic, Column("id", Number, primary_key=True), *columns, **STRICT)
    with closing(Ledger(postgresql_schema, [made], [TABLES])):
        pass
    with closing(Ledger(postgresql_schema, [made, topic.create_all], [TABLES, topic])) as ledger:
        with ledger.writing() as connection:
            rows = [{"by": f"+9198765432{n}", "body": b"x", "at_ms": n} for n in range(10, 60)]
            connection.execute(insert(people), rows)
        beside.execute("ANALYZE people")
        sampled = {name for _, name in beside.execute(SAMPLED)}
        assert sampled == {"id", "at_ms"}


def test_what_is_not_there_is_named_without_its_password(postgresql_schema):
    nobody = refused("postgresql://asha:geheim@127.0.0.1:1/ledger?password=geheim")
    assert nobody.startswith("ledger postgresql://asha@127.0.0.1:1/ledger: ")
    assert "refused" in nobody
    assert "check that the server runs" in nobody
    assert "geheim" not in nobody
    known = make_url(postgresql_schema)
    said = refused(server.text_of(known.set(database="nowhere")))
    assert 'database "nowhere" does not exist' in said
    assert "no URL" in refused("postgresql//")


def test_a_schema_that_is_missing_or_somebody_else_s_is_left_alone(postgresql_schema, beside):
    beside.execute("CREATE TABLE things (other text)")
    assert "give the nodes a schema of their own" in refused(postgresql_schema)
    assert beside.execute("SELECT count(*) FROM things").fetchone() == (0,)
    known = make_url(postgresql_schema)
    missing = known.update_query_dict({"options": "-csearch_path=nowhere"})
    assert "its schema is not there" in refused(server.text_of(missing))


@pytest.mark.process
def test_without_psycopg_it_says_what_to_install():
    text = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from switchhook.server.tables import open_ledger\n"
        "open_ledger('postgresql://127.0.0.1/x')"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert 'psycopg is not installed (pip install "switchhook[postgres]")' in done.stderr


def test_a_lost_connection_is_said_and_the_next_one_is_new(ledger, beside):
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    mine = f"{end} AND datname = current_database() AND application_name = 'switchhook ledger'"

    def write_and_lose():
        with ledger.writing() as connection:
            connection.execute(insert(things))
            beside.execute(mine)
            connection.execute(insert(things))

    with pytest.raises(LedgerError, match=r"the connection was lost: .*terminat"):
        write_and_lose()
    assert "the connection was lost" in str(ledger.problem)
    with ledger.reading():  # though nobody writes for long
        pass
    assert ledger.problem is None
    with ledger.writing() as connection:
        connection.execute(insert(things))
    assert ledger.problem is None
    beside.execute(mine)  # while nobody used them: nobody notices
    with ledger.reading() as connection:
        assert len(connection.execute(select(things.c.id)).all()) == 1


def test_a_server_that_became_a_standby_is_left(ledger, beside):
    """Its connections go on: the next one may find the primary that its URL names, too."""
    role = beside.execute("SELECT current_user").fetchone()[0]
    database = beside.execute("SELECT current_database()").fetchone()[0]
    pids = []

    def write():
        with ledger.writing() as connection:
            pids.append(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar())
            connection.execute(insert(things))

    write()
    alter = f'ALTER ROLE "{role}" IN DATABASE "{database}"'
    beside.execute(f"{alter} SET default_transaction_read_only = on")
    try:
        ledger._home.write.dispose()  # as after a fail-over: connections of now see it
        with pytest.raises(LedgerError, match=r"can only be read.*all hosts"):
            write()
    finally:
        beside.execute(f"{alter} RESET default_transaction_read_only")
    write()
    assert len(set(pids)) == 3


def test_a_migration_gives_way_to_whoever_holds_a_table(ledger, postgresql_schema, beside):
    """It doesn't keep others waiting behind it, tries again, and comes through."""
    tries = threading.Semaphore(0)

    def more(connection):
        tries.release()
        add_column(connection, "things", Column("more", Number))

    beside.autocommit = False
    beside.execute("SELECT * FROM things")
    done = []
    thread = threading.Thread(
        target=lambda: done.append(Ledger(postgresql_schema, [made, more], [TABLES]))
    )
    thread.start()
    tries.acquire()
    tries.acquire()  # the first one gave up
    beside.rollback()
    thread.join()
    (newer,) = done
    with newer.reading() as connection:
        assert connection.exec_driver_sql("SELECT more FROM things").all() == []
    newer.close()


@pytest.mark.parametrize("text", ["", "a", "\0", "\ue000", "\ue000\ue002", "\0\ue000\ue001\0"])
def test_no_two_texts_become_one(text):
    assert "\0" not in escaped(text)
    assert unescaped(escaped(text)) == text


@pytest.fixture
def fenced(postgresql_schema, beside):
    tables.bring_up(beside)
    beside.execute(
        "INSERT INTO cluster_lease (epoch, node, since, expires_at) VALUES"
        " (4, 7, clock_timestamp(), clock_timestamp() + interval '1 hour')"
    )
    with closing(Ledger(postgresql_schema, [made], [TABLES], fence=Fence(4, 7))) as ledger:
        yield ledger


def test_the_leader_writes_until_another_leads(fenced, beside):
    """The refusal is an error of the ledger's, which whoever writes it knows what to do about."""
    with fenced.writing() as connection:
        connection.execute(insert(things).values(id=1))
    beside.execute("UPDATE cluster_lease SET epoch = 5, node = 8")
    with (
        pytest.raises(LedgerError, match=r"leads no more \(epoch 4\)") as refused,
        fenced.writing(),
    ):
        pytest.fail("it may not write")
    assert isinstance(refused.value.__cause__, NotLeaderError)
    with fenced.reading() as connection:
        assert list(connection.scalars(select(things.c.id))) == [1]


def test_a_leader_that_froze_in_a_write_is_ended_by_the_server(fenced):
    with fenced.writing() as connection:
        bound = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar()
    assert bound == "5s"


def test_of_several_hosts_the_primary_is_looked_for():
    """A standby among them is passed over; one host alone is taken as it is."""
    several = postgresql._url_of("postgresql://u@a,b,c/d")
    assert several.host == "a,b,c"
    assert several.query["target_session_attrs"] == "read-write"
    assert several.query["connect_timeout"] == "2"
    assert "target_session_attrs" not in postgresql._url_of("postgresql://u@a/d").query
    told = postgresql._url_of("postgresql://u@a,b/d?target_session_attrs=any")
    assert told.query["target_session_attrs"] == "any"
