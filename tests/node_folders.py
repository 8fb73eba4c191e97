"""Data folders of nodes, for tests: fresh ones, and those that a single machine ran on."""

from __future__ import annotations

from switchhook.access.audit import Deed
from switchhook.access.ledger import LedgerAccess
from switchhook.access.roles import Role
from switchhook.cluster.settings import ClusterSettings
from switchhook.server.tables import open_ledger
from switchhook.system.data_folder import DataFolder

NOW_US = 1_795_000_000_000_000


def fresh(path):
    """A data folder that was made and that nothing has run on."""
    DataFolder.open(path, "console").close()
    return path


def settings(url, name="node-a", address="http://10.0.0.11:8081"):
    return ClusterSettings(database=url, name=name, address=address)


def deed(what, **said):
    return Deed(who="root", what=what, **said)


def with_ledger(path, users=("asha",)):
    """One whose console had users, and a number that was given to one who is gone."""
    fresh(path)
    ledger = open_ledger(path / "ledger")
    access = LedgerAccess(ledger)
    for name in (*users, "gone"):
        access.users.add(name, Role.ADMINISTRATOR, deed("added a user", subject=name), NOW_US)
    gone = access.users.named("gone")
    access.users.delete(gone.id, deed("deleted a user", subject="gone"), NOW_US)
    ledger.close()
    return path
