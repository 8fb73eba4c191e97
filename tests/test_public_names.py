"""What other programs import is there, and costs those nothing that don't."""

import subprocess
import sys

import pytest

import switchhook


@pytest.mark.parametrize("name", switchhook.__all__)
def test_a_public_name_is_there(name):
    assert getattr(switchhook, name) is not None


def test_no_other_is():
    with pytest.raises(AttributeError, match="no attribute 'parse'"):
        switchhook.parse  # noqa: B018 - it is asked for


@pytest.mark.process
def test_who_reads_no_request_loads_no_reader():
    asked = "import sys, switchhook; sys.exit('switchhook.exotel' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0
