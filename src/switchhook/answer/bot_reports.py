"""What bots report of their streams: `POST /report/{endpoint}[/{secret}]`.

Taken in as webhooks are: 200 says that all of it is durable, 503 that it is to be sent again. What
can't be understood is 400 with why, and nothing of it is kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.answer.authentication import Refusal, admit_to, find_below
from switchhook.answer.http.messages import Answer, LongBody
from switchhook.journal.bot_report import LONGEST_EVENT, MOST_EVENTS, split
from switchhook.journal.receipt import BotReportReceived, RecordKind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from switchhook.answer.authentication import Endpoint
    from switchhook.answer.callback_receivers import Receivers
    from switchhook.answer.http.messages import Head, Reply

ROOT = b"/report/"
READ_BYTES = MOST_EVENTS * LONGEST_EVENT
READ_TIME_S = 10.0

_METHOD = Refusal(405, "report method", "reports come by POST\n")


class Report(LongBody, frozen=True):
    """The token of one that proved the endpoint's secret."""

    endpoint: Endpoint


def admit(endpoints: Mapping[str, Endpoint], head: Head) -> Report | Refusal | None:
    """Judge a head by its path and its secret; None for a path that is no report's.

    Without the right secret none is let in, not even where the endpoint only reports wrong ones:
    nobody waits on the line for it.
    """
    if not head.path.startswith(ROOT):
        return None
    endpoint, in_path = find_below(endpoints, head.path[len(ROOT) :])
    if endpoint is None:
        return Refusal(404, "unknown endpoint", "no such endpoint\n")
    verdict = admit_to(endpoint, in_path, head)
    if isinstance(verdict, Refusal):
        return Refusal(verdict.status, f"report {verdict.reason}", verdict.text)
    if not verdict.proven:
        state = verdict.auth.state
        return Refusal(403, f"report secret {state}", f"the secret is {state}\n")
    if head.method != "POST":
        return _METHOD
    return Report(READ_BYTES, READ_BYTES, READ_TIME_S, endpoint)


class BotReports:
    """Keeps reports and answers them. Called in the loop's thread only; never blocks."""

    def __init__(self, receivers: Receivers, counts: Counter[str]) -> None:
        self._receivers, self._counts = receivers, counts

    def take(
        self,
        report: Report,
        body: bytes,
        problem: str | None,
        reply: Reply,
        peer: str,
        received_us: int,
        now_ns: int,
    ) -> None:
        """Keep the events of one and reply."""
        endpoint = report.endpoint
        events, why = split(body) if problem is None else ([], problem)
        if why:
            self._counts["report not understood"] += 1
            reply(Answer(400, f"{why}\n".encode()))
            return
        records = [
            BotReportReceived(
                received_us, endpoint.name, endpoint.redactor(raw), endpoint.account, peer
            )
            for raw in events
        ]
        size = sum(len(each.raw) for each in records)
        self._receivers.hold(RecordKind.BOT_REPORT, records, "report", size, reply, now_ns)
