"""What the console makes of its figures: alerts, the verdict, and a heartbeat to the operator."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from switchhook.access.audit import Deed
from switchhook.alerts.book import KIND
from switchhook.alerts.engine import Alerting
from switchhook.alerts.heartbeat import Heartbeat
from switchhook.alerts.ledger import LedgerAlerts
from switchhook.alerts.metrics import destination_figures
from switchhook.alerts.notification import Recipient
from switchhook.alerts.notify import AnswerProbe, AppriseNotifier, HttpMonitor
from switchhook.alerts.sender import Destinations
from switchhook.callbacks.promise_metrics import promises_figures
from switchhook.callbacks.promise_troubles import promise_troubles
from switchhook.capacity.ledger import LedgerCapacity
from switchhook.capacity.metrics import watch_figures
from switchhook.cluster.cluster_troubles import cluster_troubles
from switchhook.cluster.metrics import cluster_figures
from switchhook.delivery.ledger import LedgerDeliveries
from switchhook.metrics import Cached, unknown_until
from switchhook.overview.health_metrics import AnswerHealth, clock_figures, retention_figures
from switchhook.overview.heartbeat_metrics import HeartbeatFigures
from switchhook.overview.known_troubles import Known, known_troubles
from switchhook.overview.machine_metrics import machine_figures
from switchhook.overview.missing_metrics import MissingFigures
from switchhook.overview.trouble import Press, VerdictInput
from switchhook.overview.verdict_file import VerdictFile
from switchhook.overview.verdict_keeper import VerdictKeeper
from switchhook.releases.metrics import releases_figures
from switchhook.releases.release_troubles import ReleasesSeen, release_troubles
from switchhook.routes.admission_metrics import admission_figures
from switchhook.routes.admission_troubles import admission_troubles
from switchhook.routes.mending import mends
from switchhook.routes.metrics import routes_figures
from switchhook.routes.pool_troubles import at_fault, pool_troubles
from switchhook.rules.bot_pool import MemberState
from switchhook.server.promise_news import PromiseNews
from switchhook.streams.fold_metrics import fold_figures
from switchhook.streams.issues.issues import SAID, IssueAction, IssueNote, IssueState
from switchhook.streams.issues.ledger import LedgerIssueHistory
from switchhook.streams.metrics import StoreFigures
from switchhook.troubles.fold import TroubleWatch
from switchhook.troubles.metrics import TroubleFigures, key_of
from switchhook.troubles.outcomes import Measure, Subject

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from switchhook.capacity.poller import AccountWatch
    from switchhook.cluster.view import ClusterView
    from switchhook.config import Config
    from switchhook.journal.source import JournalSource
    from switchhook.ledger.database import Ledger
    from switchhook.metrics import Source
    from switchhook.overview.health_metrics import RetentionClock
    from switchhook.overview.machine_metrics import SeenMachine
    from switchhook.overview.verdict import Failing, State
    from switchhook.routes.admission_view import AdmissionView
    from switchhook.routes.view import RoutesView
    from switchhook.server.steady_clock import SteadyClock
    from switchhook.streams.fold import Folder
    from switchhook.streams.issues.issues import IssueHistory
    from switchhook.streams.names import Names
    from switchhook.streams.store import Store
    from switchhook.system.data_folder import DataFolder
    from switchhook.troubles.at_fault import AtFault, Canary
    from switchhook.troubles.trouble import Trouble

_PROBE_MS = 2_000


def _of_clock(clock: SteadyClock, cluster: Callable[[], ClusterView | None]) -> Source:
    """Several nodes go by the database's clock, which none of them sees step."""
    if cluster() is not None:
        return lambda _now_ms: ()
    return clock_figures(clock.step, lambda: clock.axis() is not None)


class Monitoring:
    """Sources of figures, alerts and verdict, from `start` to `stop`.

    `machines` are those that answer callers, at a time; `failing` are parts of the console;
    `reached` are the endpoints that send calls to a pool, by the pool, and `canaries` the releases
    whose canaries do; `cluster` how the nodes are, None on one machine.
    """

    _looked: Sequence[SeenMachine] = ()

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        *,
        store: Store,
        journal: JournalSource,
        folder: Folder,
        watch: AccountWatch,
        held: DataFolder,
        names: Callable[[], Names],
        machines: Callable[[int], Sequence[SeenMachine]],
        failing: Callable[[], Sequence[Failing]],
        clock: SteadyClock,
        retention: Callable[[], RetentionClock],
        routes: Callable[[], RoutesView],
        admission: Callable[[], Sequence[AdmissionView]] = tuple,
        reached: Callable[[], Mapping[str, Sequence[str]]] = dict,
        canaries: Callable[[], Mapping[str, Canary]] = dict,
        releases: Callable[[], ReleasesSeen] = ReleasesSeen,
        cluster: Callable[[], ClusterView | None] = lambda: None,
        show: Callable[[bytes], None] = lambda _body: None,
    ) -> None:
        self._watch, self._names, self._clock, self._key = watch, names, clock, held.key
        self._failing, self._machines = failing, machines
        self._releases, self._canaries, self._cluster = releases, canaries, cluster
        self._routes, self._admission, self._reached = routes, admission, reached
        self._streams = StoreFigures(store, journal, folder, names)
        self._store, self._journal, self._troubles = store, journal, TroubleWatch(names)
        self._beats = HeartbeatFigures(store, journal)
        folder.observe(self._troubles.folded)
        as_of = self._streams.as_of
        self._missing = MissingFigures(store, LedgerCapacity(ledger), names, as_of, self._deaf)
        self._figures = TroubleFigures(self._troubles, names, watch.now, as_of, self._at_fault)
        self._promises = self._news_of_promises(config, ledger)
        sources: list[Source] = [
            unknown_until(self._caught_up, self._streams),
            unknown_until(self._judged, self._figures),
            fold_figures(folder, journal),
            machine_figures(self._look_at_machines),
            _of_clock(clock, cluster),
            retention_figures(retention),
            watch_figures(watch),
            routes_figures(routes, reached),
            admission_figures(admission),
            releases_figures(releases),
            promises_figures(self._promises.known),
            cluster_figures(cluster),
            unknown_until(self._caught_up, self._beats),
            unknown_until(self._caught_up, self._missing),
            lambda now_ms: destination_figures(self.alerting.sender, now_ms),
        ]
        self.alerting, self._file = (
            self._alerts(config, ledger, sources),
            VerdictFile(held.path, show),
        )
        self.verdicts = VerdictKeeper(self._seen, clock.now_ms, self._keep, mono_ms=clock.mono_ms)

    def _alerts(self, config: Config, ledger: Ledger, sources: Sequence[Source]) -> Alerting:
        now_ms = self._clock.now_ms
        return Alerting(
            LedgerAlerts(ledger),
            LedgerDeliveries(ledger, KIND),
            sources,
            self._destinations(config),
            rules=config.alerts.rules,
            quiet=config.alerts.quiet,
            heartbeat=_heartbeat(config, now_ms),
            troubles=lambda: (*self._figures.troubles, *self._known()),
            acknowledged=partial(acknowledge_issue, LedgerIssueHistory(ledger), now_ms),
            now_ms=now_ms,
        )

    def _news_of_promises(self, config: Config, ledger: Ledger) -> PromiseNews:
        return PromiseNews(
            config,
            ledger,
            capacity=self._watch.now,
            notifier=lambda: self.alerting.sender.destinations.notifier,
            now_ms=self._clock.now_ms,
        )

    def begin(self) -> None:
        """Judge what ended before the start. Touches the disk; the store is open."""
        self._troubles.begin(self._store, self._journal)

    def start(self) -> None:
        self.alerting.start()
        self.verdicts.start()
        self._promises.start()

    def stop(self) -> None:
        """Touches the disk, and waits."""
        self._promises.stop()
        self.verdicts.stop()
        self.alerting.stop()

    def use(self, config: Config) -> None:
        """Go on by a changed configuration."""
        self._promises.use(config)
        alerts = config.alerts
        self.alerting.use(
            self._destinations(config),
            rules=alerts.rules,
            quiet=alerts.quiet,
            heartbeat=_heartbeat(config, self._clock.now_ms),
        )

    def issue_noted(self, note: IssueNote) -> None:
        """Let the alerts of an issue know that somebody is on it."""
        if note.state is IssueState.ACKNOWLEDGED:
            self.alerting.acknowledge_issue(note.issue, note.by)

    def _destinations(self, config: Config) -> Destinations:
        """Whom to tell of alerts."""
        alerts = config.alerts
        notifier = AppriseNotifier(
            {each.name: each.url.reveal for each in alerts.destinations},
            url=config.console.url,
            key=self._key,
            zone=alerts.quiet.zone,
        )
        recipients = (
            Recipient(each.name, each.severities, each.on_call) for each in alerts.destinations
        )
        return Destinations(notifier, tuple(recipients), alerts.policies)

    def _keep(self, state: State, now_ms: int) -> None:
        self._file.write(state, self.alerting.alerts, now_ms)

    def _caught_up(self) -> bool:
        return self._streams.caught_up

    def _judged(self) -> bool:
        """Whether it is known how everybody stands, and what pools do about it."""
        return self._streams.caught_up and bool(self._routes().made_ms)

    def _look_at_machines(self, now_ms: int) -> Sequence[SeenMachine]:
        self._looked = self._machines(now_ms)
        return self._looked

    def _deaf(self) -> bool:
        """Whether callers may come that a machine can't answer, or can't tell of."""
        heard = (each.machine for each in self._looked if each.heard)
        return any(each.answers is False or bool(each.waiting) for each in heard)

    def _known(self) -> tuple[Trouble, ...]:
        known = Known(
            machines=self._looked,
            capacity=self._watch.now(self._clock.now_ms()),
            moved=self._streams.shares.moved,
            beats=self._beats.beats,
            missing=self._missing.missing,
            silent=self.alerting.sender.silent(),
            secrets=self._streams.wrong_secrets,
        )
        pools = pool_troubles(self._routes(), self._reached(), self._canaries())
        more = (
            *admission_troubles(self._admission()),
            *release_troubles(self._releases()),
            *promise_troubles(self._promises.known()),
            *([] if (nodes := self._cluster()) is None else cluster_troubles(nodes)),
        )
        return (*known_troubles(known), *pools, *more)

    def _at_fault(self) -> Mapping[str, AtFault]:
        return at_fault(self._routes(), self._reached(), self._canaries())

    def _seen(self) -> VerdictInput:
        now_ms = self._clock.now_ms()
        return VerdictInput(
            figures=self.alerting.figures,
            capacity=self._watch.now(now_ms),
            standings=self._troubles.standings(now_ms),
            late=self._streams.recently.late,
            alerts=self.alerting.alerts,
            known=self._known(),
            silences=self.alerting.silences,
            names=self._names(),
            last_ms=self._streams.last_ms,
            failing=self._failing(),
            step=self._clock.step(),
            presses=presses_of(self._routes(), self._reached()),
            at_fault=self._at_fault(),
        )


def presses_of(view: RoutesView, reached: Container[str]) -> dict[str, Press]:
    """The press that mends what is wrong with each bot that is a pool, by the trouble's key."""
    found: dict[str, Press] = {}
    for bot, mend in mends(view, reached).items():
        press = Press(
            words=mend.words,
            act=mend.act.value,
            pool=mend.pool,
            to=mend.to,
            member=mend.member,
            state=MemberState.OUT.value if mend.member else "",
        )
        found[Subject(Measure.BOT_FAILS, bot).key] = press
        found[key_of("pool.degraded", (("pool", bot),))] = press
        pool = view.pool(bot)
        for each in () if pool is None else pool.members:
            labels = (("member", each.name), ("pool", bot))  # as alerts have them
            if press.member in ("", each.name):
                for figure in ("member.out", "member.silent_calls"):
                    found[key_of(figure, labels)] = press
    return found


def acknowledge_issue(
    history: IssueHistory, now_ms: Callable[[], int], issue: str, by: str
) -> None:
    """Let an issue know that somebody is on it, by an alert of it."""
    last = history.latest().get(issue)
    if last is not None and last.state is IssueState.ACKNOWLEDGED:
        return
    note = IssueNote(issue, now_ms(), IssueState.ACKNOWLEDGED, by, "on its alert")
    deed = Deed(who=by, what=SAID[IssueAction.ACKNOWLEDGE], subject=issue, origin="its alert")
    history.add(note, deed)


def _heartbeat(config: Config, now_ms: Callable[[], int]) -> Heartbeat | None:
    """What calls the operator's own monitor."""
    alerts = config.alerts
    if alerts.heartbeat_url is None:
        return None
    return Heartbeat(HttpMonitor(alerts.heartbeat_url.reveal), alerts.heartbeat_s, now_ms)


def answer_health(url: str | None, now_ms: Callable[[], int]) -> Callable[[], AnswerHealth | None]:
    """Whether the answer side answers, asked every other second; of None nobody asks."""
    if url is None:
        return lambda: None
    probe = AnswerProbe(url)

    def look(at_ms: int) -> AnswerHealth:

        return AnswerHealth(at_ms, *probe.ask())

    kept = Cached(_PROBE_MS, look)
    return lambda: kept.get(now_ms())
