"""The database alone fails over, and loses no acknowledged row: what all else stands on."""

from __future__ import annotations

import pytest

from lab.patience import until
from lab.writer import Writer

pytestmark = pytest.mark.process


@pytest.fixture
def writer(databases):
    made = Writer(databases.url)
    made.start()
    until(lambda: len(made.acknowledged) > 100, "rows")
    yield made
    made.stop()


def test_a_primary_that_is_killed(databases, writer):
    killed = databases.primary()
    databases.kill_postgresql(killed)
    until(lambda: databases.primary() not in {None, killed}, "another primary")
    writer.stop()
    assert writer.lost() == []
    databases.start_patroni(killed)
    databases.until_whole()
    print("longest", writer.longest_s, len(writer.acknowledged))


def test_a_primary_whose_link_is_down(databases, writer):
    cut = databases.primary()
    cut.cut()
    until(lambda: databases.primary() not in {None, cut}, "another primary")
    writer.stop()
    cut.mend()
    assert writer.lost() == []
    databases.until_whole()
    print("longest", writer.longest_s, len(writer.acknowledged))
