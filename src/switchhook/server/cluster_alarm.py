"""What a node's own alarm asks of it: its journal, its disk, and whom the configuration tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.alerts.alert_rule import Severity
from switchhook.alerts.notify import AppriseNotifier
from switchhook.cluster.database_alarm import DatabaseAlarm
from switchhook.server.own_state import stock_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.alerts.message import Message
    from switchhook.cluster.database_alarm import Stock
    from switchhook.cluster.watch import ClusterWatch
    from switchhook.config import Config
    from switchhook.journal import JournalReader
    from switchhook.system.data_folder import DataFolder


class NodeOfAlarm:
    """`database_alarm.Node` over a data folder and the configuration as it is now."""

    def __init__(
        self,
        held: DataFolder,
        journal: JournalReader,
        watch: ClusterWatch,
        config: Callable[[], Config],
    ) -> None:
        self._held, self._journal, self._watch, self._config = held, journal, watch, config

    def problem(self) -> str:
        return self._watch.now().problem

    def stock(self) -> Stock:
        return stock_of(self._held.path, self._journal, self._config().journal.ceiling_gb)

    def destinations(self) -> Sequence[str]:
        alerts = self._config().alerts
        return [each.name for each in alerts.destinations if Severity.CRITICAL in each.severities]

    def send(self, destination: str, message: Message) -> str | None:
        config = self._config()
        notifier = AppriseNotifier(
            {each.name: each.url.reveal for each in config.alerts.destinations},
            url=config.console.url,
            zone=config.alerts.quiet.zone,
        )
        return notifier.send(destination, message)


def database_alarm(
    held: DataFolder,
    journal: JournalReader,
    watch: ClusterWatch,
    config: Callable[[], Config],
    now_ms: Callable[[], int],
) -> DatabaseAlarm:
    """The alarm of a node."""
    name = config().cluster.node_name
    return DatabaseAlarm(name, NodeOfAlarm(held, journal, watch, config), held.path, now_ms)
