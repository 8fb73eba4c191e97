"""What people hear of promises: how they stand, for alerts and the first line, and how they end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.callbacks.known_queries import KnownPromises
from switchhook.callbacks.telling_worker import Telling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from switchhook.alerts.book import Notifier
    from switchhook.callbacks.known import AccountPromises
    from switchhook.callbacks.settings import CallbackSettings
    from switchhook.capacity.status import CapacityNow
    from switchhook.config import Config
    from switchhook.ledger.database import Ledger


class PromiseNews:
    """From `start` to `stop`. `capacity` is how accounts stand at a time, in ms."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        *,
        capacity: Callable[[int], Sequence[CapacityNow]],
        notifier: Callable[[], Notifier],
        now_ms: Callable[[], int],
    ) -> None:
        self._capacity, self._now_ms = capacity, now_ms
        self.use(config)
        self._known = KnownPromises(ledger, lambda: self._settings, self._headroom)
        self._telling = Telling(
            ledger,
            tell=lambda: {name: each.tell for name, each in self._settings.items()},
            notifier=notifier,
            now_ms=now_ms,
        )

    def use(self, config: Config) -> None:
        """Go on by a changed configuration."""
        self._settings: dict[str, CallbackSettings] = {
            each.name: each.callbacks for each in config.accounts if each.callbacks is not None
        }

    def start(self) -> None:
        self._telling.start()

    def stop(self) -> None:
        """Touches the disk, and waits."""
        self._telling.stop()

    def known(self) -> tuple[AccountPromises, ...]:
        """How the promises of each account stand."""
        return self._known.now(self._now_ms())

    def _headroom(self, account: str) -> int | None:
        """How many streams of an account are free, as far as anybody knows."""
        found = self._capacity(self._now_ms())
        return next((each.headroom for each in found if each.account == account), None)
