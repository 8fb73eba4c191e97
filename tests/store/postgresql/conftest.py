"""A store in a schema of its own, and the tables of a lease that it is fenced by."""

from contextlib import closing

import psycopg
import pytest

from switchhook.cluster.tables import bring_up


@pytest.fixture
def url(postgresql_schema):
    """The URL of an empty schema, with the tables that nodes share."""
    with closing(psycopg.connect(postgresql_schema, autocommit=True)) as connection:
        bring_up(connection)
    return postgresql_schema


@pytest.fixture
def beside(url):
    """A connection beside the store's."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        yield connection


@pytest.fixture
def lead(beside):
    """Makes an epoch lead, for a minute."""

    def lead(epoch):
        beside.execute("DELETE FROM cluster_lease")
        beside.execute(
            "INSERT INTO cluster_lease (epoch, node, since, expires_at)"
            " VALUES (%s, 7, clock_timestamp(), clock_timestamp() + interval '1 minute')",
            (epoch,),
        )

    return lead
