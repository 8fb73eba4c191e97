"""The release after this one: a folder to run programs from, with one step more of all tables.

It is this one's source with what a next release may change of each place where nodes meet: a step
of the ledger and one of the tables that they share, which add and take nothing away, so that the
oldest release that can use them stays; and another version of the store, which so gets tables of
its own beside those of before.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path

import switchhook

THIS = version("switchhook")
NEXT = f"{THIS}.1"
_PACKAGE = Path(switchhook.__file__).parent

_LEDGER_STEP = '''

def next_release(connection: Connection) -> None:
    """A column with a default, one that may be null, and a table."""
    from switchhook.ledger.sql import add_column

    teamed = Column("team", Text, nullable=False, server_default="")
    add_column(connection, "flag_changes", teamed)
    add_column(connection, "promises", Column("team", Text))
    Table("teams", MetaData(), Column("name", Text, primary_key=True), **KEYED).create(connection)
'''
_SHARED_STEP = '''
NEXT_STEP = """
ALTER TABLE cluster_node ADD COLUMN zone text NOT NULL DEFAULT '';
ALTER TABLE cluster_receipt ADD COLUMN came_by text;
ALTER TABLE cluster_place ADD COLUMN zone text;
ALTER TABLE cluster_told ADD COLUMN zone text;
ALTER TABLE cluster_lease ADD COLUMN zone text;
CREATE TABLE cluster_zone (name text PRIMARY KEY)
"""
'''


_OF_THE_STORE = "Of what is folded, and of the tables"
"""What stands below its version."""


def build(folder: Path) -> Path:
    """Make it, and give what PYTHONPATH is to be for it."""
    package = folder / "switchhook"
    shutil.copytree(_PACKAGE, package)
    (package / "build.json").unlink(missing_ok=True)
    told = folder / f"switchhook-{NEXT}.dist-info"
    told.mkdir()
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: switchhook\nVersion: {NEXT}\n")
    steps = package / "server/ledger_steps.py"
    steps.write_text(steps.read_text() + _LEDGER_STEP)
    _insert(package / "server/tables.py", _step("steps.next_release"), before="\nOLDEST = ")
    shared = _SHARED_STEP + _step("NEXT_STEP")
    _insert(package / "cluster/tables.py", shared, before="\nVERSION = len(MIGRATIONS)\n")
    _insert(package / "store/tables.py", " + 1", before=f'\n"""{_OF_THE_STORE}')
    return folder


def _step(name: str) -> str:
    return f"\nMIGRATIONS = (*MIGRATIONS, {name})\n"


def _insert(file: Path, text: str, *, before: str) -> None:
    """The place has to be there: else this release is another than the lab thinks."""
    found = file.read_text()
    assert found.count(before) == 1, f"{file.name} has no single {before!r}"
    file.write_text(found.replace(before, text + before))
