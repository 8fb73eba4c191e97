"""How ledgers came to have their younger tables, on SQLite and on PostgreSQL; never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, ForeignKey, Index, MetaData, Table, text

from switchhook.ledger.sql import COUNTED, KEYED, Blob, Flag, Number, Real, Text

if TYPE_CHECKING:
    from sqlalchemy import Connection


def by_destination(connection: Connection) -> None:
    """What each destination heard of a cause; what was heard before is told again."""
    connection.execute(text("DROP TABLE spoken"))
    Table(
        "spoken",
        MetaData(),
        Column("cause", Text, primary_key=True),
        Column("destination", Text, primary_key=True),
        Column("at_ms", Number, nullable=False),
        Column("body", Blob, nullable=False),
        **KEYED,
    ).create(connection)


def acknowledged(connection: Connection) -> None:
    """What the command line hands in of alerts that somebody is on."""
    Table(
        "acknowledged",
        MetaData(),
        Column("alert", Text, primary_key=True),
        Column("by", Text, nullable=False),
        Column("at_ms", Number, nullable=False),
        **KEYED,
    ).create(connection)


def hand_settings(connection: Connection) -> None:
    """What people set by hand above rules and releases."""
    Table(
        "hand_settings",
        MetaData(),
        Column("id", Number, primary_key=True),
        Column("since_ms", Number, nullable=False),
        Column("until_ms", Number),
        Column("ended_ms", Number),
        Column("ended_by", Text, nullable=False),
        Column("body", Blob, nullable=False),
        **COUNTED,
    ).create(connection)


def releases(connection: Connection) -> None:
    """Versions of rules and pools, what was done to them, and what was found out about them."""
    topic = MetaData()
    Table(
        "releases",
        topic,
        Column("number", Number, primary_key=True),
        Column("subject", Text, nullable=False),
        Column("hash", Text, nullable=False),
        Column("text", Text, nullable=False),
        Column("made", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("since_ms", Number, nullable=False),
        Column("share", Number, nullable=False),
        Column("said", Text, nullable=False),
        Index("releases_of_subject", "subject", "number"),
        **COUNTED,
    )
    Table(
        "release_steps",
        topic,
        Column("id", Number, primary_key=True),
        Column("subject", Text, nullable=False),
        Column("number", Number, nullable=False),
        Column("act", Text, nullable=False),
        Column("to", Text, nullable=False),
        Column("at_ms", Number, nullable=False),
        Column("said", Text, nullable=False),
        Index("release_steps_of_subject", "subject", "id"),
        **COUNTED,
    )
    _release_reports(topic)
    topic.create_all(connection, checkfirst=False)


def _release_reports(topic: MetaData) -> None:
    Table(
        "release_reports",
        topic,
        Column("number", Number, primary_key=True, autoincrement=False),
        Column("kind", Text, primary_key=True),
        Column("at_ms", Number, nullable=False),
        Column("body", Blob, nullable=False),
        **KEYED,
    )


def flags(connection: Connection) -> None:
    """What people set flags to, and when each flag was read."""
    topic = MetaData()
    Table(
        "flag_changes",
        topic,
        Column("id", Number, primary_key=True),
        Column("flag", Text, nullable=False),
        Column("at_ms", Number, nullable=False),
        Column("body", Blob, nullable=False),
        Index("flag_changes_of_flag", "flag", "id"),
        **COUNTED,
    )
    Table(
        "flag_reads",
        topic,
        Column("flag", Text, primary_key=True),
        Column("known_ms", Number, nullable=False),
        Column("rules_ms", Number),
        Column("bots_ms", Number),
        **KEYED,
    )
    topic.create_all(connection, checkfirst=False)


def promises(connection: Connection) -> None:
    """Callbacks that are owed, what was dialled for them, and who is never called."""
    topic = MetaData()
    _promises(topic)
    _attempts(topic)
    _promise_events(topic)
    _callbacks_at_large(topic)
    _dialling(topic)
    topic.create_all(connection, checkfirst=False)


def _promises(topic: MetaData) -> None:
    table = Table(
        "promises",
        topic,
        Column("id", Number, primary_key=True),
        Column("token", Text, nullable=False, unique=True),
        Column("account", Text, nullable=False),
        Column("number", Text, nullable=False),
        Column("class", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("origin", Text, nullable=False),
        Column("endpoint", Text, nullable=False),
        Column("call_sid", Text, nullable=False),
        Column("receipt", Text, nullable=False),
        Column("made_by", Text, nullable=False),
        Column("made_ms", Number, nullable=False),
        Column("due_ms", Number, nullable=False),
        Column("until_ms", Number, nullable=False),
        Column("state", Text, nullable=False),
        Column("event", Text),
        Column("since_ms", Number, nullable=False),
        Column("why", Text, nullable=False),
        Column("attempts", Number, nullable=False),
        Column("doubts", Number, nullable=False),
        Column("granted", Number, nullable=False),
        Column("ending", Text),
        Column("ending_why", Text, nullable=False),
        Column("look_ms", Number),
        Column("ended_ms", Number),
        Index("promises_of_state", "state", "id"),
        Index("promises_in_turn", "state", "account", "class", "due_ms"),
        Index("promises_of_number", "number", "id"),
        Index("promises_of_call", "call_sid"),
        **COUNTED,
    )

    _promise_indexes(table)


def _promise_indexes(table: Table) -> None:
    live, over = table.c.ended_ms.is_(None), table.c.ended_ms.is_not(None)
    looked_at = table.c.look_ms.is_not(None)
    columns = (table.c.until_ms, table.c.account)
    Index("promises_until", *columns, sqlite_where=live, postgresql_where=live)
    over_by = (table.c.ended_ms, table.c.state, table.c.account, table.c.event)
    Index("promises_over", *over_by, sqlite_where=over, postgresql_where=over)
    Index("promises_to_prove", table.c.look_ms, sqlite_where=looked_at, postgresql_where=looked_at)


def _attempts(topic: MetaData) -> None:
    table = Table(
        "promise_attempts",
        topic,
        Column(
            "promise",
            Number,
            ForeignKey("promises.id", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        Column("number", Number, primary_key=True, autoincrement=False),
        Column("custom_field", Text, nullable=False, unique=True),
        Column("account", Text, nullable=False),
        Column("asked_ms", Number, nullable=False),
        Column("exophone", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("call_sid", Text, nullable=False),
        Column("outcome", Text),
        Column("talk_s", Number),
        Column("price", Real),
        Column("lists", Number, nullable=False),
        Column("look_ms", Number),
        Column("done_ms", Number),
        Column("problem", Text, nullable=False),
        Index("promise_attempts_of_account", "account", "asked_ms"),
        Index("promise_attempts_of_call", "call_sid"),
        **KEYED,
    )

    due = table.c.look_ms.is_not(None)
    Index("promise_attempts_due", table.c.look_ms, sqlite_where=due, postgresql_where=due)


def _promise_events(topic: MetaData) -> None:
    Table(
        "promise_events",
        topic,
        Column("id", Number, primary_key=True),
        Column("promise", Number, ForeignKey("promises.id", ondelete="CASCADE"), nullable=False),
        Column("at_ms", Number, nullable=False),
        Column("event", Text),
        Column("state", Text, nullable=False),
        Column("why", Text, nullable=False),
        Column("attempt", Number, nullable=False),
        Column("by", Text, nullable=False),
        Index("promise_events_of_promise", "promise", "id"),
        **COUNTED,
    )

    Table(
        "promise_refusals",
        topic,
        Column("id", Number, primary_key=True),
        Column("at_ms", Number, nullable=False),
        Column("account", Text, nullable=False),
        Column("number", Text, nullable=False),
        Column("class", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("endpoint", Text, nullable=False),
        Column("call_sid", Text, nullable=False),
        Column("receipt", Text, nullable=False),
        Column("code", Text, nullable=False),
        Column("why", Text, nullable=False),
        Index("promise_refusals_by_time", "at_ms"),
        **COUNTED,
    )


def _callbacks_at_large(topic: MetaData) -> None:
    Table(
        "promise_totals",
        topic,
        Column("account", Text, primary_key=True),
        Column("kind", Text, primary_key=True),
        Column("name", Text, primary_key=True),
        Column("count", Number, nullable=False),
        **KEYED,
    )

    Table(
        "callbacks_progress",
        topic,
        Column("name", Text, primary_key=True),
        Column("seq", Number, nullable=False),
        **KEYED,
    )


def _dialling(topic: MetaData) -> None:
    Table(
        "dialling",
        topic,
        Column("account", Text, primary_key=True),
        Column("allowed", Flag, nullable=False),
        Column("by", Text, nullable=False),
        Column("at_ms", Number, nullable=False),
        Column("stopped", Text, nullable=False),
        Column("stopped_by", Text, nullable=False),
        Column("stopped_ms", Number),
        Column("held_until_ms", Number),
        Column("held_why", Text, nullable=False),
        **KEYED,
    )

    Table(
        "do_not_call",
        topic,
        Column("number", Text, primary_key=True),
        Column("why", Text, nullable=False),
        Column("by", Text, nullable=False),
        Column("at_ms", Number, nullable=False),
        Column("from_file", Flag, nullable=False),
        **KEYED,
    )
