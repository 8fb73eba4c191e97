"""The `exotel` fixture for pytest: docs/testing.md tells how to use it.

Nothing is imported until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from switchhook.emulator.in_tests import Exotel


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers",
        "exotel(real_time=False, seed=1, allow=()): how the exotel fixture of a test is made",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell the calls' stories below the failure of a test."""
    report = yield
    made = getattr(item, "funcargs", {}).get("exotel")
    if report.failed and made is not None:
        report.sections.append(("calls of exotel", made.stories()))
    return report


@pytest.fixture
def exotel(request: pytest.FixtureRequest) -> Iterator[Exotel]:
    """An Exotel that calls the code under test."""
    from switchhook.emulator.in_tests import Exotel

    marker = request.node.get_closest_marker("exotel")
    with Exotel(**(marker.kwargs if marker is not None else {})) as made:
        yield made
