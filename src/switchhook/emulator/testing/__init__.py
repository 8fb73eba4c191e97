"""The emulator inside a test: an `Exotel` that places calls on the code under test."""

from switchhook.emulator.testing.errors import (
    ClosedError,
    HangsError,
    NotAimedError,
    UnknownScenarioError,
)
from switchhook.emulator.testing.exotel import Exotel
from switchhook.emulator.testing.placed_call import PassthruExchange, PlacedCall

__all__ = [
    "ClosedError",
    "Exotel",
    "HangsError",
    "NotAimedError",
    "PassthruExchange",
    "PlacedCall",
    "UnknownScenarioError",
]
