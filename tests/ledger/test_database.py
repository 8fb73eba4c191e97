"""What a ledger promises wherever it is kept: transactions, one writer, migrations, any text."""

from __future__ import annotations

import threading

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, Table, func, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError

from switchhook.errors import LedgerError
from switchhook.ledger.database import Ledger
from switchhook.ledger.sql import KEYED, STRICT, Blob, Flag, Number, Text, add_column, upsert

TABLES = MetaData()
things = Table(
    "things",
    TABLES,
    Column("id", Number, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("at_us", Number),
    Column("open", Flag, nullable=False, server_default="0"),
    Column("body", Blob),
    **STRICT,
)
pairs = Table(
    "pairs", TABLES, Column("key", Text, primary_key=True), Column("value", Text), **KEYED
)


def made(connection):
    TABLES.create_all(connection)


@pytest.fixture
def ledger(ledger_place):
    ledger = Ledger(ledger_place, [made], [TABLES])
    yield ledger
    ledger.close()


def names(ledger):
    with ledger.reading() as connection:
        return list(connection.scalars(select(things.c.name).order_by(things.c.name)))


def test_what_fails_leaves_nothing(ledger):
    def add_and_fail():
        with ledger.writing() as connection:
            connection.execute(insert(things).values(name="a"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        add_and_fail()
    assert names(ledger) == []
    with ledger.writing() as connection:
        connection.execute(insert(things).values(name="b"))
    assert names(ledger) == ["b"]


def test_a_reader_can_not_write(ledger):
    with pytest.raises(LedgerError), ledger.reading() as connection:
        connection.execute(insert(things).values(name="a"))
    assert "read" in str(ledger.problem)
    assert names(ledger) == []
    assert ledger.problem is None


def test_what_a_writer_reads_stays_true_until_it_ends(ledger, ledger_place):
    """Also where somebody else, such as a command, has opened the ledger."""
    other = Ledger(ledger_place, [made], [TABLES])
    with ledger.writing() as connection:
        connection.execute(insert(things).values(name="n", at_us=0))

    def count(ledger):
        for _ in range(20):
            with ledger.writing() as connection:
                known = connection.execute(select(things.c.at_us)).scalar_one()
                connection.execute(update(things).values(at_us=known + 1))

    threads = [threading.Thread(target=count, args=(each,)) for each in (ledger, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.reading() as connection:
        assert connection.scalar(select(things.c.at_us)) == 40
    other.close()


def test_a_double_is_refused_by_its_kind(ledger):
    """As a constraint's error, for whoever expects it; it is no trouble of the ledger's."""
    with ledger.writing() as connection:
        connection.execute(insert(things).values(name="a"))
        with pytest.raises(IntegrityError), connection.begin_nested():
            connection.execute(insert(things).values(name="a"))
        connection.execute(insert(things).values(name="b"))
    assert names(ledger) == ["a", "b"]
    assert ledger.problem is None


def test_values_come_back_as_they_were(ledger):
    with ledger.writing() as connection:
        row = {"name": "", "at_us": 2**63 - 1, "open": True, "body": bytes(range(256))}
        number = connection.execute(insert(things).values(row)).inserted_primary_key[0]
        connection.execute(insert(things).values(name="none"))
    with ledger.reading() as connection:
        found = connection.execute(select(things).where(things.c.open)).one()
        assert found._asdict() == {"id": number, **row}
        other = connection.execute(select(things).where(~things.c.open)).one()
        assert (other.at_us, other.open, other.body) == (None, False, None)


@given(texts=st.sets(st.text(st.characters(exclude_categories=["Cs"])) | st.text("\0\ue000\ue001")))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_kept_found_and_ordered_alike(ledger, texts):
    with ledger.writing() as connection:
        connection.execute(things.delete())
        for text in texts:
            connection.execute(insert(things).values(name=text))
        for text in texts:
            found = select(things.c.name).where(things.c.name == text)
            assert connection.scalar(found) == text
        ordered = list(connection.scalars(select(things.c.name).order_by(things.c.name)))
        assert set(ordered) == texts


def test_texts_are_ordered_by_code_point(ledger):
    with ledger.writing() as connection:
        for text in ("b", "a", "B", "é", "z", "Z", "_"):
            connection.execute(insert(things).values(name=text))
    assert names(ledger) == ["B", "Z", "_", "a", "b", "z", "é"]


def test_an_upsert_says_what_of_the_row_that_was_there_changes(ledger):
    with ledger.writing() as connection:
        for value in ("1", "2"):
            row = upsert(connection, pairs).values(key="k", value=value)
            change = {"value": pairs.c.value + row.excluded.value}
            connection.execute(row.on_conflict_do_update(index_elements=["key"], set_=change))
        row = upsert(connection, pairs).values(key="k", value="3").on_conflict_do_nothing()
        assert connection.execute(row).rowcount == 0
    with ledger.reading() as connection:
        assert connection.execute(select(pairs)).all() == [("k", "12")]


def test_rows_may_be_left_unread(ledger):
    with ledger.writing() as connection:
        connection.execute(insert(things), [{"name": str(number)} for number in range(100)])
    for _ in range(30):
        with ledger.reading() as connection:
            assert connection.execute(select(things.c.name)).first() is not None
            assert len(connection.execute(select(things)).fetchmany(3)) == 3
    with ledger.writing() as connection:
        assert connection.execute(things.delete()).rowcount == 100
        assert connection.scalar(select(func.count()).select_from(things)) == 0


def told(connection):
    return {column["name"] for column in inspect(connection).get_columns("things")}


def test_one_migration_is_for_both(ledger, ledger_place):
    """What is there already is kept; a later one is refused by an older release."""

    def more(connection):
        add_column(connection, "things", Column("by", Text, nullable=False, server_default="?"))

    with ledger.writing() as connection:
        connection.execute(insert(things).values(name="a"))
    ledger.close()
    newer = Ledger(ledger_place, [made, more], [TABLES])
    with newer.reading() as connection:
        assert "by" in told(connection)
        by = Table("things", MetaData(), Column("by", Text)).c.by
        assert connection.scalar(select(by)) == "?"
    newer.close()
    Ledger(ledger_place, [made, more], [TABLES]).close()
    with pytest.raises(LedgerError, match="version 2, this release knows version 1"):
        Ledger(ledger_place, [made], [TABLES])


def test_a_migration_that_fails_changes_nothing(ledger, ledger_place):
    def more(connection):
        add_column(connection, "things", Column("by", Text))
        raise ZeroDivisionError

    ledger.close()
    with pytest.raises(ZeroDivisionError):
        Ledger(ledger_place, [made, more], [TABLES])
    again = Ledger(ledger_place, [made], [TABLES])
    with again.reading() as connection:
        assert "by" not in told(connection)
    again.close()


def test_two_who_come_at_once_make_it_once(ledger_place):
    found = []
    begun = threading.Barrier(2)

    def come():
        begun.wait()
        ledger = Ledger(ledger_place, [made], [TABLES])
        with ledger.writing() as connection:
            found.append(connection.scalar(select(func.count()).select_from(things)))
        ledger.close()

    threads = [threading.Thread(target=come) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0, 0]


def test_nothing_is_left_of_what_was_deleted(ledger):
    with ledger.writing() as connection:
        connection.execute(insert(things).values(name="+919812345678"))
    with ledger.writing() as connection:
        connection.execute(things.delete())
    ledger.rewrite()
    assert not any(b"919812345678" in piece for piece in ledger.raw(64))


def test_whoever_makes_the_file_at_the_same_moment_is_waited_for(tmp_path, monkeypatch):
    """SQLite itself refuses at once who is second to ask for a log."""

    class Contended(apsw.Connection):
        refusals = 3

        def pragma(self, name, *more, **named):
            if name == "journal_mode" and Contended.refusals:
                Contended.refusals -= 1
                raise apsw.BusyError("BusyError: database is locked")
            return super().pragma(name, *more, **named)

    monkeypatch.setattr(apsw, "Connection", Contended)
    ledger = Ledger(tmp_path / "ledger", [made], [TABLES])
    assert names(ledger) == []
    ledger.close()
    assert not Contended.refusals
