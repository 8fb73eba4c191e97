"""A ledger of the next release is used by the one of before, which stays in use beside it."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import Column, MetaData, Table, insert, inspect, select

from switchhook.access.audit import Deed
from switchhook.access.audit_ledger import LedgerAudit
from switchhook.errors import LedgerError
from switchhook.ledger.database import Ledger
from switchhook.ledger.sql import KEYED, Number, Text, add_column
from switchhook.releases.ledger import LedgerReleases, NewRelease
from switchhook.routes.hands import HandChange
from switchhook.routes.hands_ledger import LedgerHands
from switchhook.rules.routing import HandAct, HandSetting
from switchhook.server.tables import MIGRATIONS, OLDEST, TOPICS

KNOWN = len(MIGRATIONS)
NOW = 1_795_000_000_000


def expand(connection):
    """What a next release adds: a column with a default, one that may be null, a table."""
    add_column(connection, "releases", Column("tags", Text, nullable=False, server_default=""))
    add_column(connection, "hand_settings", Column("team", Text))
    topic = MetaData()
    Table("teams", topic, Column("name", Text, primary_key=True), Column("size", Number), **KEYED)
    topic.create_all(connection)


def contract(connection):
    """What the one after it takes away: nobody who knows the column needs it."""
    connection.exec_driver_sql("ALTER TABLE releases DROP COLUMN tags")


def this(place):
    return closing(Ledger(place, MIGRATIONS, TOPICS, oldest=OLDEST))


def the_next(place):
    return closing(Ledger(place, [*MIGRATIONS, expand], TOPICS, oldest=KNOWN))


def the_one_after(place):
    return closing(Ledger(place, [*MIGRATIONS, expand, contract], TOPICS, oldest=KNOWN + 1))


@pytest.fixture
def place(ledger_place):
    """Where a ledger of this release is already: an empty schema would begin at the head."""
    with this(ledger_place):
        return ledger_place


def release(ledger, text):
    new = NewRelease(subject="rules/default", text=text, author="asha", reason="try it")
    return LedgerReleases(ledger).add(new, NOW)[0].release.number


def set_by_hand(ledger, endpoint):
    begins = HandSetting(id=0, act=HandAct.SAFE, endpoint=endpoint, since_ms=NOW)
    change = HandChange(begins=begins, ends=(), said="set")
    LedgerHands(ledger).change(lambda _: change, lambda _: Deed(who="asha", what="set"), NOW)


def columns(ledger, table):
    with ledger.reading() as connection:
        return {each["name"] for each in inspect(connection).get_columns(table)}


def test_nodes_are_upgraded_one_by_one(place):
    """One that runs goes on while another brings the next release's tables, and so do both."""
    with this(place) as old:
        assert release(old, "a") == 1
        with the_next(place) as new:
            assert "tags" in columns(new, "releases")
            assert [release(old, "b"), release(new, "c"), release(old, "d")] == [2, 3, 4]
            for ledger, endpoint in ((old, "x"), (new, "y")):
                set_by_hand(ledger, endpoint)
            for ledger in (old, new):
                held = LedgerHands(ledger).held(NOW)
                assert [each.endpoint for each in held] == ["x", "y"]
                assert [s.release.text for s in LedgerReleases(ledger).standings()] == list("abcd")
                assert [e.seq for e in LedgerAudit(ledger).oldest_first()] == [1, 2]


def test_a_release_is_gone_back_from_by_one_version(place):
    """What only the next one knows is there again when it comes back."""
    with the_next(place) as new, new.writing() as connection:
        connection.execute(
            insert(Table("teams", MetaData(), autoload_with=connection)),
            [{"name": "night", "size": 3}],
        )
    for _ in range(2):
        with this(place) as old:
            release(old, "a")
            set_by_hand(old, "x")
    with the_next(place) as new, new.reading() as connection:
        teams = Table("teams", MetaData(), autoload_with=connection)
        assert connection.execute(select(teams)).all() == [("night", 3)]
        assert len(LedgerHands(new).held(NOW)) == 2


def test_by_two_versions_it_is_not_and_says_so(place):
    with the_one_after(place) as newest:
        release(newest, "a")
    said = (
        f"it has version {KNOWN + 2}, this release knows version {KNOWN}, and it is of no use to "
        f"releases that don't know version {KNOWN + 1}"
    )
    with pytest.raises(LedgerError, match=said), this(place):
        pass
    with the_next(place) as middle:  # by one it is
        assert release(middle, "b") == 2
        assert "tags" not in columns(middle, "releases")
    with the_one_after(place) as newest:
        assert [s.release.text for s in LedgerReleases(newest).standings()] == ["a", "b"]


def test_one_that_says_nothing_is_of_no_use_to_older_ones(place):
    Ledger(place, [*MIGRATIONS, expand], TOPICS).close()
    with pytest.raises(LedgerError, match="this release knows version"), this(place):
        pass


# What the steps since `OLDEST` may do, held against the tables of that version.


def shape(ledger):
    """Each table's columns with whether an insert may leave them out, and what must be unique."""
    with ledger.reading() as connection:
        found = inspect(connection)
        return {
            table: (
                {
                    each["name"]: bool(each["nullable"] or each.get("default") is not None)
                    for each in found.get_columns(table)
                },
                {
                    tuple(each["column_names"])
                    for each in found.get_indexes(table)
                    if each["unique"]
                },
                {tuple(each["column_names"]) for each in found.get_unique_constraints(table)},
            )
            for table in found.get_table_names()
        }


def broken(before, after):
    """What a release of before could not do any more, a line each."""
    for table, (columns_before, *unique_before) in before.items():
        if table not in after:
            yield f"{table} is gone"
            continue
        columns_after, *unique_after = after[table]
        for name in columns_before.keys() - columns_after.keys():
            yield f"{table}.{name} is gone"
        for name in columns_after.keys() - columns_before.keys():
            if not columns_after[name]:
                yield f"{table}.{name} has to be given, and an older release doesn't"
        if any(new - old for old, new in zip(unique_before, unique_after, strict=True)):
            yield f"{table} refuses what it took"


def test_no_step_since_the_oldest_takes_anything_away(tmp_path):
    with (
        closing(Ledger(tmp_path / "a", MIGRATIONS[:OLDEST])) as oldest,
        this(tmp_path / "b") as new,
    ):
        assert list(broken(shape(oldest), shape(new))) == []
    assert OLDEST <= KNOWN


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER TABLE releases ADD COLUMN x TEXT", []),
        ("ALTER TABLE releases ADD COLUMN x TEXT NOT NULL DEFAULT ''", []),
        ("CREATE TABLE x (y INTEGER NOT NULL)", []),
        ("ALTER TABLE hand_settings DROP COLUMN ended_by", ["hand_settings.ended_by is gone"]),
        ("DROP TABLE dialling", ["dialling is gone"]),
        ("CREATE UNIQUE INDEX x ON releases (subject)", ["releases refuses what it took"]),
    ],
)
def test_a_step_that_takes_something_away_is_seen(tmp_path, statement, said):
    def step(connection):
        connection.exec_driver_sql(statement)

    with this(tmp_path / "a") as before:
        was = shape(before)
    with closing(Ledger(tmp_path / "b", [*MIGRATIONS, step], TOPICS)) as after:
        assert list(broken(was, shape(after))) == said
