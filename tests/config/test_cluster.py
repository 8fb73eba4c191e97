"""`[cluster]`: one database for several nodes."""

from __future__ import annotations

import pytest

from switchhook.config import ConfigProblems, load_config

URL = "postgresql://switchhook:geheim@a,b,c/switchhook"


def load(text, **environ):
    files = {"there": URL.encode(), "empty": b"\n"}
    return load_config(
        f"[cluster]\n{text}", file="f", environ=environ, read_file=lambda path: files[path]
    ).cluster


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        (f'database = "{URL}"', {}),
        ('database_env = "DB"', {"DB": URL}),
        ('database_file = "there"', {}),
    ],
)
def test_its_database_is_named_or_kept_elsewhere(text, environ):
    found = load(text, **environ)
    assert found.database == URL
    assert "geheim" not in repr(found)


def test_alone_without_one():
    assert load("").database is None


def test_its_address_can_be_the_environments():
    """The pods of a StatefulSet have one file."""
    assert load('address_env = "HERE"', HERE="http://Node-0:8081/").address == "http://node-0:8081"
    assert load('address = "http://a:1"').address == "http://a:1"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('database = "mysql://a/b"', "cluster.database: it is no URL of PostgreSQL"),
        ('database = "postgresql://a"', "cluster.database: it names no database"),
        ('database_env = "DB"', "cluster.database_env: the environment has no 'DB'"),
        ('database_file = "empty"', "cluster.database_file: 'empty' holds no URL (such as"),
        ('address = "10.0.0.1"', "cluster.address"),
        ('address_env = "HERE"', "cluster.address_env: the environment has no 'HERE'"),
        ("recovery_window_h = -1", "cluster.recovery_window_h"),
        ("nodes = 3", "cluster: unknown key 'nodes'"),
    ],
)
def test_what_is_wrong_is_named_without_its_value(text, says):
    with pytest.raises(ConfigProblems) as refused:
        load(text)
    assert says in str(refused.value)
