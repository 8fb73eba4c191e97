"""Exotel's API, who is told of trouble, who notices when we stop, and what is kept how long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from switchhook.doctor.finding import fail, ok, unchecked, warn
from switchhook.exotel.answers import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from switchhook.doctor.finding import Finding
    from switchhook.exotel.answers import Polled
    from switchhook.retention.policy import ClassReport

_DAY_MS = 86_400_000


def judge_account(account: str, polled: Polled) -> Finding:
    """Whether an account's API lets us ask for its streams."""
    check = f"Exotel account {account}"
    if polled.outcome is Outcome.READ:
        if polled.active is None or polled.allowed is None:
            return warn(check, "its key works, but ActiveStreams says no figures", _ASK)
        return ok(check, f"its key works: {polled.active} of {polled.allowed} streams in use")
    todo = {
        Outcome.REFUSED: f"see key, token, SID and region under [accounts.{account}]; {_ASK}",
        Outcome.LIMITED: "ask less: lower rate_per_minute, or look who else uses the key",
        Outcome.FAILING: "Exotel's own trouble: try later, and see its status page",
        Outcome.UNREADABLE: f"does url lead to Exotel? {_ASK}",
    }.get(polled.outcome, "is this machine online, and may it reach that host?")
    if polled.outcome is Outcome.LIMITED:
        return warn(check, polled.problem, todo)
    if polled.outcome in (Outcome.UNREACHABLE, Outcome.FAILING):
        return unchecked(check, polled.problem, todo)
    return fail(check, polled.problem, todo)


_ASK = "or ask Exotel whether the account may use ActiveStreams"


def judge_destinations(
    problems: Mapping[str, str | None], *, sent: bool, users: int
) -> list[Finding]:
    """Whether messages of trouble reach somebody: None where a destination took it, or answers.

    `sent` is whether a test message was sent; `users` is how many rules would tell of something.
    """
    if not problems:
        if not users:
            return [ok("alerts", "no rule is on, so nobody is to be told")]
        todo = "name somebody under [alerts.send.NAME]: docs/alerts.md has the forms"
        return [warn("alerts", "nobody is told when something fails", todo)]
    found = []
    for name, problem in problems.items():
        check = f"alerts to {name}"
        if problem is not None:
            todo = f"see [alerts.send.{name}], and try: switchhook alerts test {name}"
            found.append(fail(check, problem, todo))
        elif sent:
            found.append(ok(check, "a test was sent and taken: has it arrived?"))
        else:
            found.append(ok(check, "its host answers; --send tries a message"))
    return found


def judge_heartbeat(configured: bool, problem: str | None) -> Finding:
    """Whether somebody outside notices when all of this stops. No beat is sent to try it."""
    check = "heartbeat"
    if not configured:
        todo = "have a monitor elsewhere, and give its URL as alerts.heartbeat_url_env"
        return warn(check, "nobody outside notices when this machine stops", todo)
    if problem is not None:
        return fail(check, f"the monitor is not reached: {problem}", "see alerts.heartbeat_url_env")
    return ok(check, "its monitor answers; the console beats while all is well")


def judge_retention(found: Sequence[ClassReport]) -> Finding:
    """Whether what was to go is gone; a class may be late by a tenth of its limit and a day."""
    check = "retention"
    limited = [each for each in found if each.days]
    late = [
        each for each in limited if each.overdue_ms > max(each.days * _DAY_MS // 10, 0) + _DAY_MS
    ]
    if late:
        worst = max(late, key=lambda each: each.overdue_ms)
        problem = f"{worst.matter.value}: {worst.overdue_ms // _DAY_MS} days older than its limit"
        return warn(check, problem, "does the console run? `switchhook keep` shows each class")
    if not limited:
        todo = "set limits under [keep]: numbers of callers are kept for ever else"
        return warn(check, "no limit is set", todo)
    return ok(check, f"{len(limited)} of {len(found)} classes have a limit, none is overdue")
