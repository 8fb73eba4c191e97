"""What the console does for releases, made for one data folder and what runs of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from switchhook.config.names import accounts_of, names_of
from switchhook.config.routing_check import reached
from switchhook.config.rules_terms import terms_of
from switchhook.errors import ConfigError, SwitchhookError
from switchhook.releases.backtest import BackTest
from switchhook.releases.candidates_watch import Terms
from switchhook.releases.release import ReleaseState
from switchhook.releases.release_troubles import canaries_by_pool, harmed
from switchhook.releases.stages import plan
from switchhook.releases.trial import Trial
from switchhook.releases.volume_reader import volume_of
from switchhook.releases.worker import ReleasesWorker
from switchhook.rules.pools_text import read_pools
from switchhook.rules.rollout import POOLS
from switchhook.streams.decided_again import PoolsTried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from switchhook.config import Config
    from switchhook.config.live import Settings
    from switchhook.journal.source import JournalSource
    from switchhook.releases.release import Release, Standing
    from switchhook.releases.releasing import Releasing
    from switchhook.releases.stages import Volume
    from switchhook.rules.decide import Ruleset
    from switchhook.rules.flags import FlagSetting
    from switchhook.server.keeping import FactsWriter
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.streams.store import Store
    from switchhook.system.data_folder import DataFolder
    from switchhook.troubles.at_fault import Canary

log = logging.getLogger(__name__)

BACKTEST = "backtest"
FORETOLD_FROM = 500
"""So many callers of a back-test foretell a mix."""
_VOLUME_LASTS_MS, _UNKNOWN_LASTS_MS = 600_000, 30_000


class Rollouts:
    """Looks after releases from `start` to `stop`; `begin` before the fold starts.

    `settings` are those that run now. It is also what the worker asks of what runs.
    """

    def __init__(
        self,
        releasing: Releasing,
        settings: Callable[[], Settings],
        *,
        held: DataFolder,
        facts: FactsWriter,
        journal: JournalSource,
        store: Store,
        clock: SteadyClock,
        flags: Callable[[], Mapping[str, FlagSetting]],
    ) -> None:
        self._flags = flags
        self._settings, self._clock = settings, clock
        self._store, self._journal = store, journal
        self._loaded: dict[tuple[int, int], Trial | None] = {}
        self._pools: dict[int, tuple[str, ...]] = {}
        self._volumes: dict[str, tuple[int, Volume | None]] = {}
        self._releasing = releasing
        self.worker = ReleasesWorker(
            releasing,
            facts,
            journal,
            self,
            node=held.node,
            now_ms=clock.now_ms,
            mono_ms=clock.mono_ms,
        )

    def begin(self) -> None:
        """Take over what was known before the start. Touches the disk."""
        self.worker.begin()

    def start(self) -> None:
        self.worker.start()

    def stop(self) -> None:
        """It waits."""
        self.worker.stop()

    def canaries(self) -> dict[str, Canary]:
        """The releases whose canaries send calls to a pool, or did, by the pool. Any thread."""
        seen, known = self.worker.seen(), self._pools
        numbers = [each.number for each in harmed(seen)]
        self._pools = {each: known.get(each) or self._pools_of(each) for each in numbers}
        tried = reached(self._config(), self._settings().candidates)
        return canaries_by_pool(seen, tried, self._pools)

    def _pools_of(self, number: int) -> tuple[str, ...]:
        """The pools that the rules of a release send calls to, as far as that can be read."""
        try:
            standing = self._releasing.releases.standing(number)
            if standing is None or standing.release.subject == POOLS:
                return ()
            return tuple(_ruleset_of(self._config(), standing.release).pools)
        except SwitchhookError as error:
            log.warning("the pools of release %d are not known: %s", number, error)
            return ()

    def _config(self) -> Config:
        return self._settings().config

    # What the worker asks.

    def terms(self, candidates: Sequence[Standing]) -> Terms:
        """By what candidates are watched now."""
        config = self._config()
        shadows = [each.release for each in candidates if each.state is ReleaseState.SHADOW]
        trials = {each.number: self._trial(config, each) for each in shadows}
        return Terms(
            settings=config.releases,
            kinds={each.name: each.kind for each in config.endpoints},
            runs={each.subject: each.hash for each in self._releasing.texts()},
            loaded={number: each for number, each in trials.items() if each is not None},
        )

    def _trial(self, config: Config, release: Release) -> Trial | None:
        """A candidate as it is tried on receipts; loaded once for a configuration."""
        key = release.number, id(config)
        if key not in self._loaded:
            self._loaded = {at: each for at, each in self._loaded.items() if at[1] == id(config)}
            try:
                self._loaded[key] = trial_of(config, release, self._flags)
            except ConfigError as error:
                log.warning("release %d decides nothing in shadow: %s", release.number, error)
                self._loaded[key] = None
        return self._loaded[key]

    def endpoints(self, subject: str) -> tuple[str, ...]:
        """All endpoints of the accounts whose callers a subject decides for."""
        of = accounts_of(self._config())
        names = [each.name for each in self._config().endpoints]
        if subject == POOLS:
            return tuple(names)
        account = of.get(subject.removeprefix("rules/"))
        return tuple(each for each in names if of.get(each) == account)

    def volume(self, subject: str) -> Volume | None:
        """How many came of late; None where nobody knows."""
        now_ms = self._clock.now_ms()
        known = self._volumes.get(subject)
        sure = known is not None and known[1] is not None and known[1].a_day is not None
        lasts_ms = _VOLUME_LASTS_MS if sure else _UNKNOWN_LASTS_MS
        if known is None or not 0 <= now_ms - known[0] < lasts_ms:
            kinds = {each.name: each.kind for each in self._config().endpoints}
            found = volume_of(subject, kinds, self._store, self._journal, now_ms)
            known = self._volumes[subject] = now_ms, found
        return known[1]

    def stages(self, subject: str) -> str:
        """Which stages a canary would go through with the callers of late, in a sentence."""
        return plan(self._config().releases, volume=self.volume(subject)).words

    def foretold(self, number: int) -> Mapping[str, float]:
        """The mix that a release's back-test foretold; empty without one that says enough."""
        report = self._releasing.releases.reports(number).get(BACKTEST)
        if report is None:
            return {}
        try:
            found = msgspec.msgpack.decode(report.body, type=BackTest)
        except (msgspec.MsgspecError, ValueError):
            log.error("the back-test of release %d is damaged", number)  # noqa: TRY400
            return {}
        mix = found.tally.callers.mix()
        total = sum(mix.values())
        if found.log or not found.complete or total < FORETOLD_FROM:
            return {}
        return {word: count / total for word, count in mix.items()}


def trial_of(
    config: Config, release: Release, flags: Callable[[], Mapping[str, FlagSetting]]
) -> Trial:
    """A release as it is tried on receipts of the moment. Raises ConfigError where it can't run.

    `flags` is asked what flags are set to.
    """
    names = names_of(config)
    if release.subject == POOLS:
        file = f"release {release.number}"
        now = {each.name: each for each in read_pools(release.text, file=file, pools=config.pools)}
        tried = PoolsTried(now, {each.name: each for each in config.pools})
        return Trial(POOLS, release.hash, None, tried, names)
    ruleset = _ruleset_of(config, release)
    return Trial(release.subject, release.hash, ruleset, None, names, flags=lambda _at_ms: flags())


def _ruleset_of(config: Config, release: Release) -> Ruleset:
    """The rules of a release. Raises ConfigError where they can't run."""
    name = release.subject.removeprefix("rules/")
    point = config.endpoint(name)
    if point is None:
        raise ConfigError(f"there is no endpoint {name[:80]!r} in the configuration")
    return terms_of(config, point).load(release.text, file=f"release {release.number}")
