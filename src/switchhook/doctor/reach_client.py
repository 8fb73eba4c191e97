"""Asks every endpoint by its URL, and one of them in the ways that proxies get wrong."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec

from switchhook.answer.redact import Redactor
from switchhook.config.own_links import applet_path, applet_urls, secrets_of
from switchhook.doctor import samples
from switchhook.doctor.finding import unchecked
from switchhook.doctor.passthru import (
    FORGED,
    judge_answer,
    judge_caching,
    judge_client,
    judge_option_b,
    judge_query,
    judge_refusal,
    judge_time,
)
from switchhook.doctor.passthru_client import ask, find_kept, new_test
from switchhook.errors import SwitchhookError
from switchhook.rules.outcome import EndpointKind
from switchhook.server.answer_settings import trusted_by

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from switchhook.config import Config
    from switchhook.doctor.finding import Finding
    from switchhook.doctor.passthru_client import Kept, Reply

    Tried = tuple[Reply, Kept | None]

MOST = 20
"""Endpoints that are asked; more are alike."""
WRONG = "no-secret-of-anybody"


class Reach(msgspec.Struct, frozen=True):
    """What was found, and the replies, for their Date."""

    found: list[Finding]
    replies: list[Reply]


class Asker:
    """Asks by URLs that begin with `base`, which is named `way` in what is found."""

    def __init__(self, folder: Path, key: bytes, config: Config, base: str, way: str) -> None:
        self._folder, self._key, self._config = folder, key, config
        self._base, self._way = base, way
        self.replies: list[Reply] = []

    def reach(self, *, whole: bool) -> Reach:
        """Ask every endpoint; where `whole`, one of them in all the ways."""
        found: list[Finding] = []
        tried: dict[str, Tried] = {}
        b_tried: list[Tried] = []
        for point in self._config.endpoints[:MOST]:
            check = f"endpoint {point.name}, {self._way}"
            url = self._url(point.name)
            passthru = point.kind is EndpointKind.PASSTHRU
            first = self.ask(url, samples.completed if passthru else samples.before)
            found.append(judge_answer(check, *first, ours=not whole))
            if first[0].status is None:
                break  # nor will the others be answered, each after a long wait
            tried[point.name] = first
            if first[1] is None:
                continue  # whatever it is asked does not come through
            if whole and passthru and point.mode != "async":
                b_tried += [first, self.ask(url, samples.failed)]
        if not whole:
            return Reach([*found, *self._refused()], self.replies)
        arrived = next((name for name, (_, kept) in tried.items() if kept is not None), None)
        if arrived is None:
            todo = "mend that first"
            return Reach([*found, unchecked("proxy", "no test came through", todo)], self.replies)
        if b_tried:
            found.append(judge_option_b("proxy: Option B", b_tried))
        found += self._ways(self._url(arrived), tried[arrived])
        return Reach(found, self.replies)

    def _refused(self) -> list[Finding]:
        """What a wrong secret gets, where there is one."""
        points = [each for each in self._config.endpoints[:MOST] if secrets_of(each, self._key)]
        asked: dict[str, Tried] = {}
        for each in points:
            reply = self._send(f"{self._base}{applet_path(each)}/{WRONG}", samples.completed)
            # Nothing stands between us and the server here, and it keeps none that it refuses: to
            # look for its receipt would take the longest that one may take, at every endpoint.
            refused = reply.status == HTTPStatus.FORBIDDEN
            asked[each.name] = (reply, None if refused else self._kept(reply))
        return [judge_refusal("a wrong secret", asked)] if asked else []

    def _ways(self, url: str, plain: Tried) -> list[Finding]:
        odd, long = self.ask(url, samples.odd), self.ask(url, samples.long)
        same = odd[0].query
        again = self.ask(url, lambda _: same)
        forged = self.ask(url, samples.completed, {"X-Forwarded-For": FORGED})
        redact = Redactor(
            self._key,
            [each for point in self._config.endpoints for each in secrets_of(point, self._key)],
        )
        return [
            judge_query("proxy: query", [plain, odd, long], redact),
            judge_caching("proxy: cache", odd, again),
            judge_client("proxy: sender's address", forged, trusted_by(self._config)),
            judge_time("proxy: time", self.replies),
        ]

    def ask(
        self, url: str, make: Callable[[str], str], headers: dict[str, str] | None = None
    ) -> Tried:
        """One test, and its receipt where the journal has it."""
        reply = self._send(url, make, headers)
        return reply, self._kept(reply)

    def _send(
        self, url: str, make: Callable[[str], str], headers: dict[str, str] | None = None
    ) -> Reply:
        test = new_test()
        reply = ask(url, make(test), test=test, key=self._key, headers=headers)
        self.replies.append(reply)
        return reply

    def _kept(self, reply: Reply) -> Kept | None:
        try:
            return None if reply.status is None else find_kept(self._folder, reply.test)
        except SwitchhookError:
            return None

    def _url(self, endpoint: str) -> str:
        found = applet_urls(self._folder, self._config, endpoint, self._key, self._base)
        assert found is not None, "it is one of the configuration's"
        return found.urls[0]
