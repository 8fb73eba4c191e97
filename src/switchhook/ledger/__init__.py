"""The ledger: the console's own truth. Synced, backed up, never rebuilt.

`Ledger` is the database; a module for each matter has its tables and what is done with them.
"""

from switchhook.ledger.database import Ledger

__all__ = ["Ledger"]
