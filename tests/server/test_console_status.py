"""What the console says of its own parts."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from switchhook.checked_json import Damage
from switchhook.config import Config
from switchhook.config.live import Settings
from switchhook.server.console_status import ConsoleStatus


def status(**parts: Any) -> ConsoleStatus:
    """One whose parts are all well but for those given."""
    well: dict[str, Any] = {
        "store": SimpleNamespace(problem=None),
        "ledger": SimpleNamespace(problem=None),
        "folder": SimpleNamespace(error=None),
        "settings": lambda: Settings(Config(), {}),
        "journal": SimpleNamespace(damage={}),
        "accounts": SimpleNamespace(complaints=list),
        "clock": SimpleNamespace(step=lambda: None),
        "damage_of_ours": tuple,
        "held": lambda: None,
        "others": tuple,
    }
    return ConsoleStatus(**(well | parts))


def test_damage_is_named_in_each_segment():
    """Whoever restores the first that is told of has not mended the second."""
    damage = {
        7: "its checksum does not fit: journal/a.sqlite is damaged there",
        9: "it can't be read: journal/a.sqlite is damaged",
        12_345_678: "it is missing: journal/b.sqlite is damaged",
    }
    said = status(journal=SimpleNamespace(damage=damage)).complaints()
    hint = "(restore that file from a backup, and run `switchhook rebuild`)"
    assert said == [
        "record 7 of the journal is damaged, and 1 more like it: its checksum does not fit:"
        f" journal/a.sqlite is damaged there {hint}",
        "record 12,345,678 of the journal is damaged: it is missing: journal/b.sqlite is damaged"
        f" {hint}",
    ]
    shared = "records 3 to 9 are missing: neither the database that the nodes share nor"
    found = status(journal=SimpleNamespace(damage={12: shared})).complaints()
    assert found == [f"record 12 of the journal is damaged: {shared}"]
    many = {seq: f"it is missing: journal/{seq}.sqlite is damaged" for seq in range(1000)}
    assert len(status(journal=SimpleNamespace(damage=many)).complaints()) == 10


def test_damage_of_small_files_is_said_and_no_complaint_of_the_operator_s():
    kept, ours = Damage("what was kept was damaged", "remove it"), Damage("a list is", "mend it")
    settings = msgspec.structs.replace(
        Settings(Config(), {}), complaints=(str(kept), "rules: no"), damage=(kept,)
    )
    found = status(settings=lambda: settings, damage_of_ours=lambda: (ours,))
    assert found.complaints() == [str(kept), "rules: no", str(ours)]
    assert settings.refused == ("rules: no",)
    assert [each.problem for each in found.failing()] == [kept.problem, ours.problem]
