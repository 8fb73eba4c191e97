"""What is known of candidates, kept in the ledger: to go on from, and to be shown afterwards."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from switchhook.releases.rollout_watch import RolloutState
from switchhook.releases.shadow import Shadow, ShadowState
from switchhook.releases.stages_had import as_it_went, stages_had
from switchhook.releases.view import RolloutView

if TYPE_CHECKING:
    from switchhook.releases.ledger import LedgerReleases, Report
    from switchhook.releases.view import ShadowView

log = logging.getLogger(__name__)

ROLLOUT, SHADOW, VIEW = "rollout", "shadow", "rollout view"
"""The kinds of report."""

T = TypeVar("T")


class CandidatesKeeper:
    """See above. Any thread. Raises LedgerError; what is damaged is as if it weren't there."""

    def __init__(self, releases: LedgerReleases) -> None:
        self._releases = releases

    def rollout(self, number: int) -> RolloutState | None:
        """What a rollout goes on from."""
        return self._read(number, ROLLOUT, RolloutState)

    def shadow(self, number: int) -> ShadowState | None:
        """What a shadow goes on from."""
        return self._read(number, SHADOW, ShadowState)

    def shown(self, number: int) -> tuple[RolloutView | None, ShadowView | None]:
        """How a release did in its canary and in shadow, as it was kept last.

        Which stages its canary had and whether it ended is as the ledger has it: whoever kept it
        may have been gone before.
        """
        reports = self._releases.reports(number)
        state = _decoded(reports.get(SHADOW), ShadowState)
        shadow = None if state is None else Shadow(number, state).view()
        view = _decoded(reports.get(VIEW), RolloutView)
        if view is not None:
            view = as_it_went(view, stages_had(self._releases.steps(number)))
        return view, shadow

    def keep_rollout(self, number: int, state: RolloutState, now_ms: int) -> None:
        """Keep what a rollout goes on from."""
        self._releases.report(number, ROLLOUT, msgspec.msgpack.encode(state), now_ms)

    def keep_view(self, view: RolloutView, now_ms: int) -> None:
        """Keep how a rollout stands."""
        self._releases.report(view.number, VIEW, msgspec.msgpack.encode(view), now_ms)

    def keep_shadow(self, number: int, body: bytes, now_ms: int) -> None:
        """Keep what a shadow goes on from: a `ShadowState`, encoded."""
        self._releases.report(number, SHADOW, body, now_ms)

    def _read(self, number: int, kind: str, type: type[T]) -> T | None:
        return _decoded(self._releases.reports(number).get(kind), type)


def _decoded(report: Report | None, type: type[T]) -> T | None:
    if report is None:
        return None
    try:
        return msgspec.msgpack.decode(report.body, type=type)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        log.error("what was kept of release %d (%s) is damaged", report.number, report.kind)  # noqa: TRY400
        return None
