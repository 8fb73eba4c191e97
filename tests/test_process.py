"""Who holds a lock, by what the kernel lists."""

from __future__ import annotations

import fcntl
import os
import sys

import pytest

from switchhook.process import holder_of

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel lists none")


@LINUX
def test_the_holder_of_a_lock_is_named_while_it_holds_it(tmp_path):
    lock = tmp_path / "answer.lock"
    lock.touch()
    assert holder_of(lock) is None
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        assert holder_of(lock) == os.getpid()
    finally:
        os.close(descriptor)
    assert holder_of(lock) is None


def test_only_flocks_of_this_file_count(tmp_path):
    lock, locks = tmp_path / "answer.lock", tmp_path / "locks"
    lock.touch()
    inode = lock.stat().st_ino
    locks.write_text(
        f"1: POSIX  ADVISORY  WRITE 11 08:01:{inode} 0 EOF\n"
        f"2: FLOCK  ADVISORY  WRITE 12 08:01:{inode}9 0 EOF\n"
        f"2: -> FLOCK  ADVISORY  WRITE 13 08:01:{inode} 0 EOF\n"
        f"3: FLOCK  ADVISORY  WRITE 14 08:01:{inode} 0 EOF\n"
    )
    assert holder_of(lock, locks) == 14
    assert holder_of(tmp_path / "none", locks) is None
    assert holder_of(lock, tmp_path / "none") is None
