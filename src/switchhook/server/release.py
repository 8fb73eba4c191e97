"""Which release of this program runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def release() -> str:
    """The version of this program."""
    try:
        return version("switchhook")
    except PackageNotFoundError:
        return "0"  # run from a checkout that was never installed
