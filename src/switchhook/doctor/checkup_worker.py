"""All checks of one data folder and its configuration, ready to run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from switchhook.callbacks.dialling_ledger import LedgerDialling
from switchhook.callbacks.lists_ledger import PromiseLists
from switchhook.cluster.membership import read_membership
from switchhook.config import Config
from switchhook.config.own_links import address, secrets_of
from switchhook.doctor import network_client, others_client
from switchhook.doctor.calling_back import judge_calling_back
from switchhook.doctor.cluster_queries import check_cluster
from switchhook.doctor.endpoint_queries import ages_s, secret_files
from switchhook.doctor.file_queries import check_exposure, check_folder, check_rules
from switchhook.doctor.finding import Finding, fail, ok, unchecked, warn
from switchhook.doctor.machine import judge_clock, judge_fsync, judge_room
from switchhook.doctor.machine_queries import date_seen, look_at_disk, synchronised
from switchhook.doctor.network import (
    Port,
    judge_bot,
    judge_certificate,
    judge_console_age,
    judge_health,
    judge_name,
    judge_port,
)
from switchhook.doctor.others import (
    judge_account,
    judge_destinations,
    judge_heartbeat,
    judge_retention,
)
from switchhook.doctor.reach_client import Asker
from switchhook.doctor.secret import judge_secrets
from switchhook.doctor.worker import Check
from switchhook.errors import DataFolderError, SwitchhookError
from switchhook.loopback import is_loopback
from switchhook.overview.verdict_file import read_verdict
from switchhook.server.cluster_join import ledgers_aside
from switchhook.server.places import has_ledger, ledger_of
from switchhook.server.release import release
from switchhook.server.retention_rows import report_of
from switchhook.system.folder_lock import Holder, holder_note
from switchhook.system.local_keys import link_token

if TYPE_CHECKING:
    from switchhook.config.accounts import AccountConfig
    from switchhook.config.files import CheckedConfig
    from switchhook.doctor.machine import DateSeen

_SIDES: tuple[Holder, ...] = ("answer", "console")


class Checkup(msgspec.Struct, kw_only=True):
    """What is looked at. `key` is the folder's, None where it can't be read.

    `url` is how Exotel reaches the answer side, "" where nobody said; `send` sends a test message
    to a destination and says why it was not taken.
    """

    folder: Path
    key: bytes | None
    config: Config
    checked: CheckedConfig | None = None
    url: str = ""
    bots: Sequence[str] = ()
    send: Callable[[str], str | None] | None = None
    dates: list[DateSeen] = []

    def first(self) -> list[Check]:
        """Those that don't wait for one another."""
        accounts = [each for each in self.config.accounts if each.key is not None]
        return [
            Check("data folder", lambda: check_folder(self.folder)),
            Check("rules", lambda: check_rules(self.folder, self.config)),
            Check("who can read secrets", self._exposure),
            Check("secrets", self._secrets),
            Check("programs", self._programs),
            Check("disk", self._disk),
            Check("retention", self._retention),
            Check("from inside", self._inside),
            *self._outside(),
            *(Check(f"account {each.name}", partial(self._account, each)) for each in accounts),
            *(Check("bot", partial(self._bot, url)) for url in self.bots),
            *([Check("calling back", self._calling_back)] if self._callers_back else []),
            *([Check("cluster", self._cluster)] if self.config.cluster.database else []),
            Check("alerts", self._destinations),
            Check("heartbeat", self._heartbeat),
        ]

    def last(self) -> list[Check]:
        """Those that go by what the others saw."""
        return [Check("clock", lambda: [judge_clock(self.dates, synchronised())])]

    def _exposure(self) -> list[Finding]:
        return check_exposure(self.checked, self.folder, self.config)

    def _secrets(self) -> list[Finding]:
        said = {
            point.name: [secret.reveal() for secret in point.secrets]
            for point in self.config.endpoints
        }
        files, now_s = secret_files(self.config), time.time()
        ages = {name: ages_s(some, now_s) for name, some in files.items()}
        own = [
            ok(f"secrets of {point.name}", "made of the data folder's key")
            for point in self.config.endpoints
            if self.key is not None and not point.secrets and secrets_of(point, self.key)
        ]
        return [*judge_secrets(said, ages), *own]

    def _programs(self) -> list[Finding]:
        if self.folder.exists() and not os.access(self.folder, os.R_OK | os.X_OK):
            return [unchecked("programs", "who runs on the data folder is for its owner to see")]
        ports = [self._port(side) for side in _SIDES]
        runs = [port.holder is not None for port in ports]
        found = [
            judge_port(port, other_runs=any(runs) and not mine)
            for port, mine in zip(ports, runs, strict=True)
        ]
        by_link = {"Authorization": f"Bearer {link_token(self.key)}"} if self.key else {}
        for side, port in zip(_SIDES, ports, strict=True):
            if port.holder is not None and not port.problem:
                said = network_client.ask_health(port.address, by_link if side == "console" else {})
                found.append(judge_health(side, said, release()))
        if any(runs):
            written, now_ms = read_verdict(self.folder), time.time_ns() // 1_000_000
            age = None if written is None else written.age_s(now_ms)
            found.append(judge_console_age(age, written is not None and written.fresh(now_ms)))
        return found

    def _port(self, side: Holder) -> Port:
        listen = self.config.answer.listen if side == "answer" else self.config.console.listen
        note = holder_note(self.folder, side)
        url = address(self.folder, side, listen)
        parts = urlsplit(url)
        port = parts.port or 80
        problem = network_client.connects(parts.hostname or "", port)
        since_s = None if note is None else note.age_s(time.time())
        listener = "" if problem or note is not None else network_client.listener_of(port)
        holder = None if note is None else note.pid
        written = read_verdict(self.folder) if side == "console" and note is None else None
        last_s = None if written is None else written.age_s(time.time_ns() // 1_000_000)
        return Port(side, url, problem, holder, since_s, listener, last_s)

    def _disk(self) -> list[Finding]:
        try:
            disk = look_at_disk(self.folder, self.config)
        except OSError as error:
            return [unchecked("disk", f"{self.folder}: {(error.strerror or '').lower()}")]
        shortest = min(point.deadline_ms for point in self.config.endpoints)
        return [judge_room(disk), judge_fsync(disk, shortest)]

    def _retention(self) -> list[Finding]:
        if not has_ledger(self.folder):
            return [unchecked("retention", "no console has begun a ledger yet")]
        try:
            found = report_of(self.folder, self.config.keep, lambda: time.time_ns() // 1_000_000)
        except SwitchhookError as error:
            return [unchecked("retention", str(error))]
        return [judge_retention(found)]

    def _inside(self) -> list[Finding]:
        """Every endpoint by its address on this machine."""
        check = "endpoints, inside"
        if self.key is None:
            return [unchecked(check, "no test can be marked as one without the data folder's key")]
        if holder_note(self.folder, "answer") is None:
            return [unchecked(check, "the answer side does not run", "start it, and look again")]
        listen = address(self.folder, "answer", self.config.answer.listen)
        asker = Asker(self.folder, self.key, self.config, listen, "inside")
        return asker.reach(whole=False).found

    def _outside(self) -> list[Check]:
        if not self.url:
            todo = "set answer.url in the configuration, or say it by --url"
            said = (
                "nobody said how Exotel reaches us, so name, certificate and proxy were not tried"
            )
            return [Check("from outside", lambda: [unchecked("from outside", said, todo)])]
        parts = urlsplit(self.url)
        host = parts.hostname or ""
        checks = [Check("from outside", self._by_url)]
        if parts.scheme == "https":
            port = parts.port or 443
            checks.insert(0, Check("certificate", lambda: [self._certificate(host, port)]))
        if not is_loopback(host):
            checks.insert(0, Check("name", lambda: [judge_name(network_client.resolve(host))]))
        return checks

    def _certificate(self, host: str, port: int) -> Finding:
        return judge_certificate(host, network_client.certificate(host, port), time.time())

    def _by_url(self) -> list[Finding]:
        if self.key is None:
            said = "no test can be marked as one without the data folder's key"
            return [unchecked("from outside", said)]
        reach = Asker(self.folder, self.key, self.config, self.url, "outside").reach(whole=True)
        host = urlsplit(self.url).hostname or ""
        for reply in reach.replies[:1]:
            own = reply.address == reply.from_address or is_loopback(reply.address or host)
            seen = date_seen(host, reply.headers.get("date"), reply.at_s, own=own)
            self.dates += [] if seen is None else [seen]
        return reach.found

    def _account(self, account: AccountConfig) -> list[Finding]:
        polled, seen = others_client.ask_account(account)
        self.dates += [] if seen is None else [seen]
        return [judge_account(account.name, polled)]

    @property
    def _callers_back(self) -> list[str]:
        """The accounts that call back."""
        return [each.name for each in self.config.accounts if each.callbacks is not None]

    def _calling_back(self) -> list[Finding]:
        if not has_ledger(self.folder):
            return [unchecked("calling back", "no console has begun a ledger yet")]
        now_ms = time.time_ns() // 1_000_000
        try:
            with closing(ledger_of(self.folder)) as ledger:
                dialling, counts = LedgerDialling(ledger), PromiseLists(ledger).counts(now_ms)
                return [
                    judge_calling_back(
                        dialling.of(name),
                        sum(each.count for each in counts.live if each.account == name),
                        counts.due.get(name, 0),
                        now_ms,
                    )
                    for name in self._callers_back
                ]
        except SwitchhookError as error:
            return [unchecked("calling back", str(error))]

    def _cluster(self) -> list[Finding]:
        """The database that the nodes share, they, and what lies here of before joining."""
        assert self.config.cluster.database is not None
        aside = ledgers_aside(self.folder)
        try:
            note = read_membership(self.folder)
        except DataFolderError as error:
            return [fail("cluster", error.problem, error.hint)]
        found = check_cluster(self.config.cluster.database, note)
        if aside:
            names = ", ".join(each.name for each in aside)
            todo = "remove it once you don't want the way back: no erasure reaches it"
            found.append(warn("ledger of before", f"it lies in the data folder: {names}", todo))
        return found

    def _bot(self, url: str) -> list[Finding]:
        return [judge_bot(network_client.shown_url(url), network_client.shake_hands(url))]

    def _destinations(self) -> list[Finding]:
        alerts = self.config.alerts
        problems = {
            each.name: self.send(each.name) if self.send else others_client.reach_destination(each)
            for each in alerts.destinations
        }
        return judge_destinations(problems, sent=self.send is not None, users=len(alerts.rules))

    def _heartbeat(self) -> list[Finding]:
        url = self.config.alerts.heartbeat_url
        problem = None if url is None else others_client.reach_monitor(url.reveal())
        return [judge_heartbeat(url is not None, problem)]
