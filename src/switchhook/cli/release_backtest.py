"""`switchhook release backtest`: what a candidate would have done, from what was kept or a log."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import BarColumn, Progress, TextColumn

from switchhook.cli import output
from switchhook.cli.backtest_shown import print_backtest
from switchhook.cli.data import found_config, found_data_folder
from switchhook.cli.kept_since import first_since, length_ms
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.release_log import Runs, try_log
from switchhook.cli.release_parts import OF, is_number, meant, opened, subject_of_file, text_in
from switchhook.config.files import read_whole
from switchhook.config.names import names_of
from switchhook.config.rules_terms import kinds_of, terms_of
from switchhook.errors import ConfigError, ReleaseError
from switchhook.metrics import duration_text
from switchhook.releases.backtest import REPORT, BackTest
from switchhook.releases.backtest_engine import Work, cores_there
from switchhook.releases.backtest_file import BackTestFile
from switchhook.releases.backtest_json import backtest_json
from switchhook.releases.backtest_worker import carry_out
from switchhook.releases.ledger import hash_of
from switchhook.releases.pools_then import PoolsThen, pools_then
from switchhook.releases.release import Release, ReleaseState
from switchhook.releases.releasing import short, subject_said
from switchhook.releases.spans import Span
from switchhook.rules.outcome import EndpointKind
from switchhook.rules.pools_text import read_pools
from switchhook.rules.rollout import POOLS, subject_of
from switchhook.server.backtest_process import PROGRAM
from switchhook.server.places import database_of, journal_of
from switchhook.system.data_folder import IDENTITY, JOURNAL, DataFolder
from switchhook.system.folder_lock import holder_note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from switchhook.cli.release_parts import OpenReleases
    from switchhook.config.values import EndpointConfig
    from switchhook.journal.source import JournalSource
    from switchhook.releases.running import RunningText
    from switchhook.rules.bot_pool import Pool

STOPPED = 130


class Candidate(NamedTuple):
    """What is tried: `number` is None for a file that is no release."""

    subject: str
    text: str
    number: int | None
    file: str = ""

    @property
    def words(self) -> str:
        """What it is called."""
        name = self.file if self.number is None else f"release {self.number}"
        return f"{output.plain(name)} of {short(self.subject)}"


def backtest(
    candidate: str,
    *,
    since: Annotated[str, Parameter(help="How long back, such as 24h or 7d.")] = "7d",
    log: Annotated[str | None, Parameter(help="A log of requests in place of receipts.")] = None,
    of: OF = None,
    cores: Annotated[
        int | None, Parameter(validator=Number(gte=1), help="Processes that count.")
    ] = None,
    anew: Annotated[
        bool, Parameter(negative="", help="Don't go on with one that stopped.")
    ] = False,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Say what a candidate would have answered otherwise, and to whom.

    It decides every kept request again, with what was known then. Ctrl-C stops it; the same command
    goes on. Exit code 1 if it is a release that gives other decisions now than it gave.

    With --log it is tried on the requests in a file beside what runs now: mock logs, access logs
    and all else that `switchhook parse` reads. A log has no facts: there is room for everyone.

    For example:

        switchhook release backtest 12 --since 7d
        switchhook release backtest my-rules.toml --log mock.log

    Parameters
    ----------
    candidate
        A number, or a file, which is tried without being recorded.
    """
    if log is not None:
        with _opened_for_log(config, data) as at:
            found = _candidate(candidate, of, at)
            return _shown(_on_log(log, found, of, at), found, None, json=json)
    length = length_ms(since, "--since")
    with opened(config, data) as at:
        found = _candidate(candidate, of, at)
        journal = journal_of(at.folder)
        work = _work(found, at, max(0, at.now_ms() - length))
        counted = _begun(found, work, since, length, journal, at, anew=anew)
        file = BackTestFile(at.folder, work.release)
        served = holder_note(at.folder, "answer") is not None
        work = msgspec.structs.replace(work, behind=served)
        use = cores or max(1, cores_there() - served)
        if not _carried_out(counted, work, use, file):
            output.err.print(f"stopped at {_percent(counted)}: the same command goes on")
            return STOPPED
        if found.number is not None:
            at.ledger.report(found.number, REPORT, msgspec.msgpack.encode(counted), at.now_ms())
        file.remove()
        return _shown(counted, found, journal.node, json=json)


@contextmanager
def _opened_for_log(config: str | None, data: str | None) -> Iterator[OpenReleases]:
    """The releases of a data folder; where none is there yet, as if one had just been made."""
    if (found_data_folder(config, data) / IDENTITY).exists():
        with opened(config, data) as at:
            yield at
        return
    with TemporaryDirectory(prefix="switchhook-") as place:
        DataFolder.open(place, "console").close()
        with opened(found_config(config, None), place) as at:
            yield at


def _candidate(said: str, of: str | None, at: OpenReleases) -> Candidate:
    """What is meant; a file's text is looked for among the releases, and not recorded."""
    known = at.releasing.running.subjects()
    if is_number(said) or subject_said(said, known) is not None or not Path(said).exists():
        standing = meant(said, of, "", at)
        release, name = standing.release, f"release {standing.release.number}"
        if standing.state is ReleaseState.DRAFT:  # what ran once may need what is gone by now
            _refuse(name, at.releasing.running.check(release, strict=False))
        return Candidate(release.subject, release.text, release.number)
    subject = subject_of_file(said, of, at)
    text = at.releasing.running.whole(subject, text_in(said))
    draft = Release(number=0, subject=subject, text=text, hash="", author="", reason="", made_ms=0)
    _refuse(output.plain(said), at.releasing.running.check(draft, strict=False))
    same = [
        each.release.number
        for each in at.ledger.standings(subject)
        if each.release.hash == hash_of(text)
    ]
    return Candidate(subject, text, same[-1] if same else None, said)


def _refuse(name: str, problems: Sequence[str]) -> None:
    """Raises ReleaseError where there is a problem."""
    if problems:
        hint = f"all of it: switchhook release check {name.removeprefix('release ')}"
        raise ReleaseError(f"{name} does not check out: {output.plain(problems[0])}", hint)


def _work(found: Candidate, at: OpenReleases, since_ms: int) -> Work:
    """All that it takes to try it on what is as old as that. Raises ReleaseError, ConfigError."""
    database = database_of(at.folder)
    common: dict[str, Any] = {
        "journal": database or str(at.folder / JOURNAL),
        "subject": found.subject,
        "release": hash_of(found.text),
        "names": names_of(at.config),
        "flags": at.config.flags,
        "set": at.flags.since(since_ms),
    }
    if database is not None:
        common["program"] = PROGRAM
    if found.subject != POOLS:
        return Work(text=found.text, kind=_kind(found, at), **common)
    now = read_pools(found.text, file="", pools=at.config.pools)
    return Work(now=now, then=_pools_now(at), ran=_pools_then(at), **common)


def _kind(found: Candidate, at: OpenReleases) -> EndpointKind:
    """The kind of its endpoint; of one that is configured no more what its text can be."""
    point = at.config.endpoint(found.subject.removeprefix("rules/"))
    if point is not None:
        return point.kind
    kinds = kinds_of(found.text)
    if not kinds:
        hint = "its flags or its words are of another version"
        raise ReleaseError(f"{found.words} can't be loaded any more", hint)
    return kinds[0]


def _running(subject: str, at: OpenReleases) -> RunningText | None:
    return next((each for each in at.releasing.texts() if each.subject == subject), None)


def _runs(subject: str, at: OpenReleases) -> str | None:
    found = _running(subject, at)
    return None if found is None else found.text


def _pools_then(at: OpenReleases) -> PoolsThen:
    """Which pools ran when; one that is configured no more can't be read."""

    def read(text: str) -> tuple[Pool, ...] | None:
        try:
            return read_pools(text, file="", pools=at.config.pools)
        except ConfigError:
            return None

    return pools_then(at.ledger.situation(POOLS), _running(POOLS, at), read)


def _pools_now(at: OpenReleases) -> tuple[Pool, ...]:
    """The pools as they run."""
    text = _runs(POOLS, at)
    if text is None:
        return at.config.pools
    return read_pools(text, file="", pools=at.config.pools)


def _begun(
    found: Candidate,
    work: Work,
    since: str,
    length: int,
    journal: JournalSource,
    at: OpenReleases,
    *,
    anew: bool,
) -> BackTest:
    """Where it begins, or goes on."""
    before = None if anew else BackTestFile(at.folder, work.release).read()
    if before is not None and (before.subject, before.since) == (found.subject, since):
        output.err.print(f"it goes on from {_percent(before)}: --anew begins again")
        return before
    now_ms = at.now_ms()
    since_ms = max(0, now_ms - length)
    whole = Span(first_since(at.folder, journal, since_ms), journal.last_seq())
    return BackTest(
        subject=found.subject,
        release=work.release,
        number=found.number,
        since=since,
        since_ms=since_ms,
        until_ms=now_ms,
        whole=whole,
        begun_ms=now_ms,
    )


def _carried_out(found: BackTest, work: Work, cores: int, file: BackTestFile) -> bool:
    """Whether it was carried out, or somebody stopped it."""
    columns = (TextColumn("back-test"), BarColumn(), TextColumn("{task.fields[said]}"))
    bar = Progress(*columns, console=output.err, disable=not output.err.is_terminal)
    with bar, _stopped() as stop:
        file.write(found)
        task = bar.add_task("", total=max(1, found.whole.records), said="")

        def say(now: BackTest) -> None:
            bar.update(task, completed=now.counted, said=_far(now))

        say(found)
        return carry_out(found, work, cores=cores, keep=file.write, say=say, stop=stop)


def _far(found: BackTest) -> str:
    said = f"{found.counted:,} of {found.whole.records:,}"
    return said if found.left_s is None else f"{said}, {duration_text(found.left_s)} left"


def _percent(found: BackTest) -> str:
    return f"{100 * found.counted // max(1, found.whole.records)} %"


@contextmanager
def _stopped() -> Iterator[Callable[[], bool]]:
    """Whether somebody pressed Ctrl-C or ended us: what is at hand is finished first."""
    asked = list[int]()
    before = {
        each: signal.signal(each, lambda number, _frame: asked.append(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _on_log(log: str, found: Candidate, of: str | None, at: OpenReleases) -> BackTest:
    """Try it on the requests in a log, beside what runs."""
    work = msgspec.structs.replace(_work(found, at, 0), ran=None)
    point = _endpoint(found, of, at)
    text = _runs(subject_of(point.name), at)
    if text is None and point.rules is not None:  # its file has not run yet
        text = read_whole(point.rules).decode(errors="replace")
    terms = terms_of(at.config, point)
    ruleset = terms.builtin if text is None else terms.load(text, file=point.rules or "")
    pools = {each.name: each for each in _pools_now(at)}
    tried = try_log(log, work.trial(), Runs(point, ruleset, pools, work.set), at.now_ms)
    if not tried.tally.seen():
        output.err.print("nothing in it looks like a passthru of Exotel's")
    if tried.others:
        output.err.print(f"requests that are no passthru: {tried.others:,}")
    if tried.left:
        output.err.print(f"lines without a request: {tried.left:,}")
    now_ms = at.now_ms()
    return BackTest(
        subject=found.subject,
        release=work.release,
        number=found.number,
        log=log,
        begun_ms=now_ms,
        until_ms=now_ms,
        ended_ms=now_ms,
        tally=tried.tally,
    )


def _endpoint(found: Candidate, of: str | None, at: OpenReleases) -> EndpointConfig:
    """Whose requests a log has: of pools those of the only voicebot endpoint."""
    if found.subject != POOLS:
        name = found.subject.removeprefix("rules/")
        point = at.config.endpoint(name)
        if point is None:
            raise ReleaseError(f"there is no endpoint {name!r} any more", "its log can't be tried")
        return point
    points = [each for each in at.config.endpoints if each.kind is EndpointKind.VOICEBOT]
    named = [each for each in points if of in (None, POOLS, each.name)]
    if len(named) != 1:
        known = ", ".join(each.name for each in points) or "there is none"
        raise ReleaseError("of which voicebot endpoint the log is does not show", f"known: {known}")
    return named[0]


def _shown(found: BackTest, candidate: Candidate, node: int | None, *, json: bool) -> int:
    if json:
        output.print_json(backtest_json(found, node))
    else:
        print_backtest(found, candidate.words, node)
    return int(found.tally.faults > 0 or (bool(found.log) and not found.tally.seen()))
