"""All that must not be lost as one file, and back: `backup`, `restore`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.data import folder_for_deed, keep_limits, own_data_folder
from switchhook.cli.erasing import print_proof
from switchhook.cli.erasing_again import preparing
from switchhook.cli.ledger_back import restore_ledger
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cluster.membership import read_membership
from switchhook.errors import DataFolderError
from switchhook.ledger.belonging import Backup, note_backup, read_backup
from switchhook.retention import backup as backups
from switchhook.retention import erasure_list_file

if TYPE_CHECKING:
    from switchhook.retention.erasure import Proof

_MOST_NOTED = 5
_OF_A_NODE = (
    "this is a node of a cluster: the ledger (users, audit log, promises, releases, flags) and"
    " other nodes' receipts are in the database that they share, and not in this file; back"
    " that up as well: docs/deploy/postgresql-backup.md"
)


def back_up(
    file: str,
    *,
    encrypt_to: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Write everything that must not be lost into one new file, also while it runs.

    All of it is read: what is damaged is saved as it is and named, and the exit code is 1. The list
    of erasures is written beside it: a restore does them again.

    Parameters
    ----------
    file
        The file to make; a tar archive under gzip, so .tar.gz is a good ending, or .tar.gz.age.
    encrypt_to
        Who alone can read it, in place of keep.encrypt_backups_to: age1… or a public key of SSH.
    """
    folder, target = own_data_folder(config, data), Path(file)
    recipients = encrypt_to or keep_limits(folder, config).encrypt_backups_to
    manifest = backups.back_up(folder, target, encrypt_to=recipients, progress=_said(json))
    with suppress(OSError):  # it only helps people
        note_backup(folder, _noted(folder, target, manifest))
    _report(manifest, target, json)
    note = read_membership(folder)
    if note is not None and note.is_member:
        output.err.print(_OF_A_NODE)
    # Last, as a list that is damaged ends it: the backup is there all the same.
    copy = erasure_list_file.copy_beside(folder, target, manifest.node)
    if copy is not None:
        output.err.print(output.plain(f"the list of erasures is beside it: {copy}"))
    return 1 if manifest.damaged else 0


def restore(
    file: str,
    *,
    identity: Path | None = None,
    erasures: Path | None = None,
    config: CONFIG = None,
    data: DATA = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    ledger_only: Annotated[bool, Parameter(negative="")] = False,
    json: JSON = False,
) -> int:
    """Unpack a backup into an empty data folder, once all of it has been checked.

    What was erased since it was made is erased again before anything can start there. Exit code 1
    if something of that is left, or if something in it was damaged before it was made.

    Parameters
    ----------
    file
        The backup.
    identity
        The file with the key of an encrypted one: as age-keygen makes it, or a private key of SSH.
    erasures
        The list of erasures: erasures.json of the folder that was lost, or the newest from beside a
        backup. One beside this backup, or in the empty folder, is used without a word.
    check
        Only check it.
    ledger_only
        Put only its ledger back, into the data folder that it is of: users, audit log, settings of
        people. The ledger that was there is moved aside.
    """
    source = Path(file)
    if check:
        manifest = backups.check(source, identity)
        _report(manifest, source, json)
        return 1 if manifest.damaged else 0
    folder = folder_for_deed(config, data)
    said, lists = _said(json), _lists(erasures)
    proofs: list[Proof] = []
    if ledger_only:
        manifest = restore_ledger(source, folder, identity, lists, proofs, said)
        output.err.print("the ledger is back; a console that waits for it goes on by itself")
    else:
        manifest = backups.restore(
            source,
            folder,
            identities=identity,
            may_be_there=frozenset({erasure_list_file.FILE}),
            progress=said,
            prepare=preparing(source, lists, proofs, said),
        )
        output.err.print(
            "start switchhook on it: the console makes the store again from the journal"
        )
    _report(manifest, source, json)
    _report_proofs(proofs, json)
    whole = ledger_only or not manifest.damaged
    return 0 if whole and all(proof.complete for proof in proofs) else 1


def _noted(folder: Path, target: Path, manifest: backups.Manifest) -> Backup:
    """What is noted of a backup; one whose ledger is damaged is no way back of it."""
    damaged = tuple(str(each) for each in (manifest.damaged or ())[:_MOST_NOTED])
    before = read_backup(folder)
    if any(each.name == backups.LEDGER_FILE for each in manifest.damaged or ()):
        before = before or Backup("", "")
        return Backup(before.file, before.made, damaged)
    return Backup(str(target.absolute()), manifest.made, damaged)


def _lists(erasures: Path | None) -> list[Path]:
    """The lists of erasures that were named."""
    if erasures is None:
        return []
    if not erasures.exists():
        hint = "erasures.json of the folder that was lost, or the file from beside a backup"
        raise DataFolderError(str(erasures), "there is no such list of erasures", hint)
    return [erasures]


def _report_proofs(proofs: list[Proof], json: bool) -> None:
    for proof in proofs:
        output.err.print(f"erased again: {proof.id}, {'whole' if proof.complete else 'not whole'}")
        if not json:
            print_proof(proof)


def _report(manifest: backups.Manifest, file: Path, json: bool) -> None:
    for each in manifest.damaged or ():
        ledger = each.name == backups.LEDGER_FILE
        left_out = "; a restore leaves it out: get it from an older backup, --ledger-only"
        output.err.print(output.plain(f"{each}{left_out if ledger else ''}"))
    if json:
        output.print_json(msgspec.to_builtins(manifest))
        return
    unknown = manifest.damaged is None
    output.print_pairs(
        [
            ("backup", str(file)),
            ("made", output.moment(manifest.made)),
            ("node", str(manifest.node)),
            ("files", f"{len(manifest.files):,}"),
            ("damaged", f"{len(manifest.damaged):,}" if manifest.damaged else ""),
            ("not looked at", "made by a release that checked no content" if unknown else ""),
            ("unpacked", f"{manifest.size / 1e6:,.1f} MB"),
            ("as a file", f"{file.stat().st_size / 1e6:,.1f} MB"),
        ]
    )


def _said(json: bool) -> Any:
    return (lambda name: None) if json else (lambda name: output.err.print(output.plain(name)))
