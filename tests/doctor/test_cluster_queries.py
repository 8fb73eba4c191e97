"""What the doctor sees of a real server, well and not."""

from __future__ import annotations

from contextlib import closing

from node_rows import A, B, cluster, is_away
from postgresql import role
from switchhook.cluster.membership import Membership
from switchhook.doctor.cluster_queries import check_cluster, look_at_server, managed_by
from switchhook.doctor.finding import Level
from switchhook.postgresql_server import connect


def by_check(url, note=None):
    return {each.check: each for each in check_cluster(url, note)}


def test_a_server_that_runs_here_is_seen_as_it_is(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        server = look_at_server(connection, postgresql_schema)
        number = connection.info.server_version
    assert server.version == number
    assert (server.managed, server.standby, server.may_create) == ("", False, True)
    assert server.pids == (server.given_pid,) * 3
    assert 0 < server.room.free < server.room.most


def test_several_hosts_are_counted(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        server = look_at_server(connection, "postgresql://u@db1,db2,db3/x?target_session_attrs=any")
    assert (server.hosts, server.attrs) == (3, "any")


def test_before_a_node_joined_it_says_how_to_begin(postgresql_schema):
    found = by_check(postgresql_schema)
    assert found["cluster: nodes"].level is Level.WARN
    assert "serve" in found["cluster: nodes"].todo


def test_of_a_cluster_all_is_said(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), leads=A):
        found = by_check(postgresql_schema)
    assert found["cluster: leader"].level is Level.OK
    assert found["cluster: partitions"].level is Level.FAIL
    assert found["database: rights"].level is Level.OK


def test_a_node_that_left_takes_no_connections_and_hears_that_it_left(postgresql_schema):
    with cluster(postgresql_schema, (A, "a"), (B, "b"), leads=A) as connection:
        connection.execute(
            "UPDATE cluster_node SET member = 'm', state = 'left', left_at = clock_timestamp()"
            " WHERE node = %s",
            (B,),
        )
        is_away(connection, B)
        own = Membership("m", "c1", B)
        found = {each.check: each for each in check_cluster(postgresql_schema, own)}
    assert "1 node" in found["database: connections"].said
    assert found["cluster: this node"].said.startswith("it left the cluster on ")
    assert "cluster: this node" not in by_check(postgresql_schema)


def test_a_user_without_rights_is_told_which(postgresql_schema):
    schema = postgresql_schema.rpartition("%3D")[2]
    with cluster(postgresql_schema, (A, "a")) as connection, role(connection) as weak:
        connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {weak}".encode())
        tables = f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {weak}"
        connection.execute(tables.encode())
        connection.execute(f"SET ROLE {weak}".encode())
        server = look_at_server(connection, postgresql_schema)
    assert (server.may_create, server.owns) == (False, False)


def test_a_service_is_recognised(postgresql_schema):
    with closing(connect(postgresql_schema)) as connection:
        assert managed_by(connection) == ""
        connection.execute(
            "CREATE FUNCTION aurora_version() RETURNS text LANGUAGE sql AS $$ SELECT '16' $$"
        )
        assert managed_by(connection) == "Amazon Aurora"


def test_one_that_nobody_runs_is_named_without_its_password():
    (found,) = check_cluster("postgresql://u:hunter2@127.0.0.1:1/none", None)
    assert (found.check, found.level) == ("database", Level.FAIL)
    assert "hunter2" not in str(found)
    assert found.todo
