"""What tests of many nodes share."""

from __future__ import annotations

from contextlib import closing

import pytest

from handed_over import Shared


@pytest.fixture
def shared(postgresql_schema):
    """A database with the nodes' tables."""
    with closing(Shared(postgresql_schema)) as found:
        yield found
