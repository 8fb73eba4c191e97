"""What a file system is asked: to make names durable, and whether it is on this machine at all."""

from __future__ import annotations

import os
import re
from pathlib import Path

from switchhook.errors import DataFolderError

# Types as /proc/mounts has them; those by FUSE follow a `fuse.`.
_NETWORK = re.compile(
    "9p|acfs|afpfs|afs|beegfs|ceph|cifs|coda|davfs|gfs2?|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2"
    "|orangefs|pvfs2|smb[23]|smbfs"
    "|fuse[.](?:blobfuse2?|ceph|ceph-fuse|cephfs|curlftpfs|davfs2?|gcsfuse|glusterfs|goofys|hdfs"
    "|juicefs|lizardfs|mfs|moosefs|mount-s3|objectivefs|rclone|s3fs|s3ql|seaweedfs|smbnetfs|sshfs)"
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def mounted() -> str:
    """The text of /proc/mounts, as this process sees it; "" where there is none."""
    try:
        return Path("/proc/self/mounts").read_text(errors="surrogateescape")
    except OSError:
        return ""  # not Linux: nothing is known, so nothing is refused


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that a path is on, as /proc/mounts tells; "" where unknown."""
    longest, found = -1, ""
    for line in mounts.split("\n"):
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = _ESCAPED.sub(lambda found: chr(int(found[1], 8)), fields[1])
        depth = len(Path(point).parts)
        # Of several on one point the last is on top.
        if path.is_relative_to(point) and depth >= longest:
            longest, found = depth, fields[2]
    return found


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def refuse_network(path: Path, mounts: str) -> None:
    """Raise DataFolderError for a folder that another machine could hold at the same time."""
    found = file_system_of(Path(os.path.realpath(path)), mounts)
    if _NETWORK.fullmatch(found):
        problem = f"it is on a network file system ({found}), where locks can't be relied on"
        hint = "give --data a folder on a disk of this machine"
        raise DataFolderError(str(path), problem, hint)
