"""A rival, started as the bench starts it."""

import os

import pytest

from benchmarks.contestants import Bare
from benchmarks.machine import Cores


@pytest.fixture
def free_bare_server(tmp_path):
    """The port of a bare ASGI app on any core."""
    core = min(os.sched_getaffinity(0))
    bare = Bare(tmp_path, Cores(core, (core,)))
    with bare.start():
        yield bare.port
