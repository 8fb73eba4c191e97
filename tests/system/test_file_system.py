"""Which file system a folder is on."""

from __future__ import annotations

from pathlib import Path

import pytest

from switchhook.errors import DataFolderError
from switchhook.system.file_system import file_system_of, mounted, refuse_network


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/srv/data", "xfs"),
        ("/srv/data2", "ext4"),  # not under /srv/data
        ("/srv/data/deep/er", "nfs4"),
        ("/mnt/with blank/x", "cifs"),
        ("/twice", "tmpfs"),
    ],
)
def test_file_system_of(path: str, kind: str) -> None:
    """The deepest mount point above a path counts; of two on one point the last."""
    mounts = (
        "/dev/a / ext4 rw 0 0\n/dev/b /srv/data xfs rw 0 0\nh:/x /srv/data/deep nfs4 rw 0 0\n"
        "//h/y /mnt/with\\040blank cifs rw 0 0\nh:/z /twice nfs rw 0 0\nnone /twice tmpfs rw 0 0\n"
        "nonsense\n"
    )
    assert file_system_of(Path(path), mounts) == kind
    assert file_system_of(Path(path), "") == ""


@pytest.mark.parametrize("kind", ["ext4", "xfs", "tmpfs", "overlay", "fuse.mergerfs", "fuse", ""])
def test_local_ones_are_fine(kind: str) -> None:
    """What is not known to reach over a network is not refused."""
    mounts = f"none / {kind} rw 0 0\n"
    refuse_network(Path("/srv/data"), mounts)
    assert file_system_of(Path("/srv/data"), mounts) == kind


@pytest.mark.parametrize("kind", ["nfs", "lustre", "smb2", "fuse.sshfs", "fuse.rclone"])
def test_network_ones_are_refused(kind: str) -> None:
    """Two machines could write there at once."""
    with pytest.raises(DataFolderError, match="give --data a folder on a disk of this machine"):
        refuse_network(Path("/srv/data"), f"h:/x /srv {kind} rw 0 0\n")


def test_mounted_tells_the_root() -> None:
    """On Linux there is always one; elsewhere nothing is known."""
    assert (" / " in mounted()) == Path("/proc/self/mounts").exists()
