"""The emulator inside a test: an `Exotel` that places calls on the code under test."""

from switchhook.emulator.in_tests.errors import (
    ClosedError,
    HangsError,
    NotAimedError,
    UnknownScenarioError,
)
from switchhook.emulator.in_tests.exotel import Exotel
from switchhook.emulator.in_tests.placed import PlacedCall, Told

__all__ = [
    "ClosedError",
    "Exotel",
    "HangsError",
    "NotAimedError",
    "PlacedCall",
    "Told",
    "UnknownScenarioError",
]
