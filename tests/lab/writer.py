"""A writer to the database alone: which of its rows were acknowledged, how long it waited."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import psycopg

from switchhook.errors import ClusterError
from switchhook.postgresql_server import connect


class Writer:
    """One row after the other, as a hand-over would; ended by `stop`."""

    def __init__(self, url: str) -> None:
        self.acknowledged: list[int] = []
        self.longest_s = 0.0
        """The longest time without an acknowledged row."""
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        with connect(url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS written (number bigint PRIMARY KEY)")
            connection.execute("TRUNCATE written")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The last row is one that was written after this was asked."""
        self._ended.set()
        self._thread.join(120)
        assert not self._thread.is_alive()

    def lost(self) -> list[int]:
        """The acknowledged rows that the database doesn't have."""
        with connect(self._url) as connection:
            kept = {row[0] for row in connection.execute("SELECT number FROM written")}
        return sorted(set(self.acknowledged) - kept)

    def _run(self) -> None:
        number, last_s = 0, time.monotonic()
        while True:
            ending = self._ended.is_set()
            with suppress(psycopg.Error, ClusterError), connect(self._url) as connection:
                while True:
                    number += 1
                    warned: list[object] = []
                    connection.add_notice_handler(warned.append)
                    connection.execute("INSERT INTO written VALUES (%s)", (number,))
                    connection.remove_notice_handler(warned.append)
                    if not warned:
                        self.acknowledged.append(number)
                        now_s = time.monotonic()
                        self.longest_s = max(self.longest_s, now_s - last_s)
                        last_s = now_s
                        if ending:
                            return
                    ending = self._ended.is_set()
                    self._ended.wait(0.003)
