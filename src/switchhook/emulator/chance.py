"""All chance comes from one seed, in streams by name: what one call draws changes no other's."""

from __future__ import annotations

import random
import secrets


class Chance:
    """Named streams of numbers; the same seed and name give the same numbers on any machine."""

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(128) if seed is None else seed

    def stream(self, *name: object) -> random.Random:
        """A generator of its own for each name, `("call", 12)` for example."""
        # Repeatable on purpose: nothing here guards anything.
        return random.Random(f"{self.seed}/{'/'.join(map(str, name))}")  # noqa: S311
