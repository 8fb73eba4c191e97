"""What runs on a data folder, as releases ask and change it: beside both programs, or in one."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from switchhook.config.kept_text import Candidate, hash_of
from switchhook.config.released import ReleasedRules
from switchhook.config.rules_terms import terms_of
from switchhook.errors import ConfigError, DataFolderError
from switchhook.exotel.times import us_of
from switchhook.releases.running import RunningText
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.pools_text import laid_over, pools_text, read_pools
from switchhook.rules.rollout import POOLS, subject_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from switchhook.config import Config, EndpointConfig
    from switchhook.config.kept_text import TakenOver
    from switchhook.releases.release import Release
    from switchhook.rules.bot_pool import Pool

BUILT_IN = "built in"
_PLACE = re.compile(r"^:(\d+):")
"""A line of a text that is in no file."""


class FolderRunning:
    """`releases.running.Running` of a data folder, by the configuration that `config` gives."""

    def __init__(self, folder: Path, config: Callable[[], Config]) -> None:
        self._rules, self._config = ReleasedRules(folder), config

    def subjects(self) -> tuple[str, ...]:
        config = self._config()
        rules = tuple(subject_of(point.name) for point in config.endpoints)
        return (*rules, POOLS) if config.pools else rules

    def texts(self) -> tuple[RunningText, ...]:
        config = self._config()
        found = [self._text_of(config, subject) for subject in self.subjects()]
        return tuple(each for each in found if each is not None)

    def ran(self, subject: str) -> Iterator[RunningText]:
        for each in self._rules.ran(subject):
            yield _text(subject, each)

    def built_in(self) -> dict[str, str]:
        config = self._config()
        points = [
            # A voicebot endpoint without a pool has rules of its own, or does not load.
            point
            for point in config.endpoints
            if point.kind is not EndpointKind.VOICEBOT or point.pool
        ]
        return {subject_of(point.name): _builtin_text(config, point) for point in points}

    def candidates(self) -> dict[str, int]:
        found = {}
        for subject in self.subjects():
            try:
                candidate = self._rules.candidate(subject)
            except DataFolderError:  # damaged: it decides for nobody
                found[subject] = 0
                continue
            if candidate is not None:
                found[subject] = candidate.number
        return found

    def whole(self, subject: str, text: str) -> str:
        if subject != POOLS:
            return text
        try:
            return pools_text(read_pools(text, file="", pools=self._pools()))
        except ConfigError:
            return text

    def check(self, release: Release, *, strict: bool) -> tuple[str, ...]:
        config = self._config()
        try:
            if release.subject == POOLS:
                read_pools(release.text, file="", pools=config.pools)
                return ()
            point = config.endpoint(release.subject.removeprefix("rules/"))
            if point is None:
                name = release.subject.removeprefix("rules/")
                return (f"there is no endpoint {name[:80]!r} in the configuration",)
            terms_of(config, point).load(release.text, file="", strict=strict)
        except ConfigError as error:
            return tuple(_PLACE.sub(r"line \1:", each) for each in str(error).splitlines())
        return ()

    def run(self, release: Release, by: str) -> None:
        self._rules.run(release.subject, release.text, release=release.number, by=by)

    def propose(self, subject: str, candidate: Release | None) -> None:
        proposed = None
        if candidate is not None:
            proposed = Candidate(candidate.number, candidate.hash, candidate.text)
        self._rules.propose(subject, proposed)

    def close(self) -> None:
        """Nothing is held open."""

    def _text_of(self, config: Config, subject: str) -> RunningText | None:
        try:
            kept = self._rules.running(subject)
        except DataFolderError:  # damaged: what runs is not known for sure, and is mended by serve
            return None
        if kept is not None:
            return _text(subject, kept)
        if subject == POOLS:
            return _built_in(subject, pools_text(config.pools))
        point = config.endpoint(subject.removeprefix("rules/"))
        if point is None or point.rules is not None:  # its file has not run yet
            return None
        return _built_in(subject, _builtin_text(config, point))

    def _pools(self) -> tuple[Pool, ...]:
        """The pools as they run."""
        config = self._config()
        runs = self._text_of(config, POOLS)
        return config.pools if runs is None else laid_over(runs.text, config.pools)


def _text(subject: str, kept: TakenOver) -> RunningText:
    return RunningText(
        subject=subject,
        text=kept.text,
        hash=kept.hash,
        by=kept.by,
        at_ms=us_of(datetime.fromisoformat(kept.at)) // 1000,
        release=kept.release,
    )


def _built_in(subject: str, text: str) -> RunningText:
    return RunningText(subject=subject, text=text, hash=hash_of(text), by=BUILT_IN)


def _builtin_text(config: Config, point: EndpointConfig) -> str:
    return terms_of(config, point).builtin.text
