"""How the console's parts are: what fails, what to complain of, what decides for each endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from switchhook.errors import ClusterError, DataFolderError, JournalError, LedgerError
from switchhook.exotel.phone_numbers import counted
from switchhook.journal.steady_time import step_text
from switchhook.overview.verdict import Failing
from switchhook.retention.trusted_time import Held, held_text
from switchhook.server.release import release
from switchhook.streams.endpoints import EndpointShown, RulesShown
from switchhook.streams.health import console_health, node_json
from switchhook.telemetry.prometheus import FoldState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.checked_json import Damage
    from switchhook.config.last_good import UnusedFile
    from switchhook.config.live import Settings
    from switchhook.ledger.database import Ledger
    from switchhook.server.accounts import Accounts
    from switchhook.server.keeping import KeptJournal, KeptStore
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.streams.fold import Folder
    from switchhook.web.json import Json

_MOST_NAMED = 10
_FILE = "journal/"
"""What damage of a file names it with."""

Problem = ClusterError | DataFolderError | JournalError | LedgerError


class ConsoleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Asks the parts how they are, each time anew.

    `settings` are those that run; `damage_of_ours` is that of our small files, beside what is kept
    of the operator's; `held` is what retention waits for; `others` are the problems of parts that
    say them themselves.
    """

    settings: Callable[[], Settings]
    journal: KeptJournal
    store: KeptStore
    folder: Folder
    ledger: Ledger
    accounts: Accounts
    clock: SteadyClock
    damage_of_ours: Callable[[], Sequence[Damage]]
    held: Callable[[], Held | None]
    others: Callable[[], Sequence[str]]

    def complaints(self) -> list[str]:
        """What is wrong with the operator's files and with our own parts, one sentence each."""
        return [
            *self.settings().complaints,
            *map(str, self.damage_of_ours()),
            *map(str, filter(None, (self.store.problem, self.ledger.problem))),
            *self._damaged_records(),
            *self.accounts.complaints(),
            *self._of_clocks(),
            *self.others(),
        ]

    def problems(self) -> dict[str, Problem | None]:
        """What fails of the console's own files, by what they are."""
        stands = self.folder.error
        return {
            "store": self.store.problem,
            "ledger": self.ledger.problem,
            "journal": stands if isinstance(stands, JournalError) else None,
        }

    def failing(self, *, damage: bool = True) -> list[Failing]:
        """What fails of the console's own files, for the verdict; the small ones where `damage`."""
        found = (*self.problems().values(), *(self.damage() if damage else ()))
        return [Failing(each.problem, each.hint) for each in found if each is not None]

    def damage(self) -> list[Damage]:
        """What is damaged of our own small files."""
        return [*self.settings().damage, *self.damage_of_ours()]

    def fold(self) -> FoldState:
        """How far the fold is behind, and whether it goes on."""
        folder = self.folder
        return FoldState(folder.lag(), folder.running and folder.problem is None)

    def endpoints(self) -> list[EndpointShown]:
        """The endpoints with what decides for them."""
        settings = self.settings()
        return [
            EndpointShown(
                name=point.name,
                mode=point.mode.value,
                auth=point.auth.value,
                safe_option=point.safe_option.value,
                deadline_ms=point.deadline_ms,
                rules=_rules_shown(settings, point.name, point.rules),
                secret=bool(point.secrets),
                kind=point.kind,
            )
            for point in settings.config.endpoints
        ]

    def config_refused(self) -> str:
        """What is wrong with the configuration's file where another runs, in lines."""
        unused = self.settings().unused
        return next((each.problem for each in unused if each.name == "config"), "")

    def health(self) -> Json:
        """What `/healthz` says of the console."""
        return console_health(self.folder, self.store, self.complaints(), release(), self.node())

    def node(self) -> Json | None:
        """The node that this is, which leads; None on one machine."""
        cluster = self.settings().config.cluster
        return None if cluster.database is None else node_json(cluster.node_name, leads=True)

    def unused(self) -> tuple[UnusedFile, ...]:
        """The operator's files that hold something else than what runs."""
        return self.settings().unused

    def overview(self) -> dict[str, object]:
        """The endpoints, for the API's status."""
        return {
            "endpoints": [
                {
                    "name": each.name,
                    "mode": each.mode,
                    "auth": each.auth,
                    "safe_option": each.safe_option,
                    "deadline_ms": each.deadline_ms,
                    "release": each.rules.release,
                    "rules": [rule.name for rule in each.rules.rules],
                }
                for each in self.endpoints()
            ],
        }

    def _damaged_records(self) -> list[str]:
        """What reading has found damaged in the journal."""
        alike: dict[str, list[int]] = {}
        for seq, why in dict(self.journal.damage).items():
            where = why.rpartition(": ")[2].removesuffix(" there")
            alike.setdefault(where, []).append(seq)
        hint = "restore that file from a backup, and run `switchhook rebuild`"
        said = []
        for seqs in list(alike.values())[:_MOST_NAMED]:
            more = f", and {len(seqs) - 1} more like it" if len(seqs) > 1 else ""
            why = self.journal.damage[seqs[0]]
            todo = f" ({hint})" if _FILE in why else ""  # what nodes share is in no file of ours
            said.append(f"record {counted(seqs[0])} of the journal is damaged{more}: {why}{todo}")
        return said

    def _of_clocks(self) -> list[str]:
        step, held = self.clock.step(), self.held()
        found = [] if step is None else [step_text(step)]
        return found if held is None else [*found, held_text(held)]


def _rules_shown(settings: Settings, endpoint: str, file: str | None) -> RulesShown:
    """What decides for an endpoint, and what its file holds instead, if anything."""
    name, ruleset = f"rules/{endpoint}", settings.rulesets[endpoint]
    source = next((each for each in settings.sources if each.name == name), None)
    unused = next((each for each in settings.unused if each.name == name), None)
    return RulesShown(
        release=ruleset.release,
        since_us=None if source is None else _us(source.at),
        by="" if source is None else source.by,
        file=file or "",
        rules=ruleset.rules,
        default=ruleset.default_rule,
        unused="" if unused is None else unused.problem,
        refused=unused is not None and unused.refused,
    )


def _us(moment: str) -> int | None:
    """ISO 8601 as Unix microseconds; None for what is built in."""
    return int(datetime.fromisoformat(moment).timestamp() * 1_000_000) if moment else None
