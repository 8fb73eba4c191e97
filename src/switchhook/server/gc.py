"""The garbage collector of a program that runs for months."""

from __future__ import annotations

import gc


def freeze_heap() -> None:
    """Have the collector pass over all that lives now, for it lives for good.

    To be called once a program is made. A full collection would stop every thread for some 50 ms:
    as long as a page may take, and ten times as long as an answer.
    """
    gc.collect()
    gc.freeze()


def thaw_heap() -> None:
    """Have it collect again what was frozen, as part of the program has ended."""
    gc.unfreeze()
    gc.collect()
