"""The `exotel` fixture for pytest: docs/testing.md tells how to use it.

The emulator is not imported until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from switchhook.emulator.testing import Exotel

_MADE: pytest.StashKey[Exotel] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Make the setting known."""
    parser.addini(
        "exotel_real_time",
        "whether the exotel fixture waits as long as a caller would (default: false)",
        type="bool",
        default=False,
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "exotel(real_time=False, seed=1, allow=(), patience_s=60, voice=''): "
        "how the exotel fixture of a test is made",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the calls' stories below the failure of a test."""
    report = yield
    made = item.stash.get(_MADE, None)
    if report.failed and made is not None:
        report.sections.append(("calls of exotel", made.stories()))
    return report


@pytest.fixture
def exotel(request: pytest.FixtureRequest) -> Iterator[Exotel]:
    """An Exotel that calls the code under test."""
    from switchhook.emulator.testing import Exotel

    marker = request.node.get_closest_marker("exotel")
    options = {"real_time": request.config.getini("exotel_real_time")}
    if marker is not None:
        if marker.args:
            raise pytest.UsageError("the exotel marker takes keywords only: exotel(real_time=True)")
        options |= marker.kwargs
    with Exotel(**options) as made:
        request.node.stash[_MADE] = made
        yield made
