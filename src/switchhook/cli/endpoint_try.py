"""`switchhook endpoint test`: one endpoint asked as Exotel would, by a request marked as a test."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from switchhook.cli import output
from switchhook.cli.data import config_or_last, data_folder, found_config, not_up, public_url
from switchhook.cli.options import CONFIG, DATA, JSON
from switchhook.cli.parse import source_lines
from switchhook.config.own_links import applet_urls
from switchhook.doctor import samples
from switchhook.doctor.finding import Level
from switchhook.doctor.passthru import judge_answer
from switchhook.doctor.passthru_client import Kept, Reply, ask, find_kept, new_test
from switchhook.errors import ConfigError
from switchhook.exotel.request_logs.found import is_passthru
from switchhook.exotel.request_logs.reader import LogReader
from switchhook.rules.decide import Option
from switchhook.rules.outcome import EndpointKind
from switchhook.system.data_folder import read_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from switchhook.config import Config

_MOST = 100


def try_(
    name: str | None = None,
    *,
    url: Annotated[str | None, Parameter(help="How Exotel reaches us; else answer.url.")] = None,
    query: Annotated[str | None, Parameter(help="What to ask, as in a URL.")] = None,
    file: Annotated[
        str | None, Parameter(help="Requests to ask, in any form that parse reads.")
    ] = None,
    option: Annotated[
        Option | None,
        Parameter(
            name="--option", help="The Option that is right: A or B.", name_transform=str.upper
        ),
    ] = None,
    config: CONFIG = None,
    data: DATA = None,
    json: JSON = False,
) -> int:
    """Ask an endpoint as Exotel would, and tell the answer, the rule and why, and the time.

    Without --query or --file it is asked with a stream that went well and with one that failed, an
    endpoint before the stream with a call that has none yet. The request goes through the public
    URL where one is known. It is marked as a test with the data folder's key: answered and kept as
    a caller's, but in no figure, list or alert.

    Exit code 1 where an answer is missing or not the Option that --option says.

    For example:

        switchhook endpoint test sales
        switchhook endpoint test sales --query 'CallSid=a1&Stream[Status]=failed' --option B

    Parameters
    ----------
    name
        The endpoint's name in the configuration; without it the only one.
    """
    if query is not None and file is not None:
        raise ConfigError("say --query or --file, not both", key="--query")
    folder = data_folder(config, data)
    said = config_or_last(folder, found_config(config, data))
    key = read_identity(folder).key
    name = name or only_endpoint([point.name for point in said.endpoints], "test")
    url = public_url(url)
    if not (url or said.answer.url):
        not_up(folder, "answer")  # one that is starting says where in a moment
    found = applet_urls(folder, said, name, key, url)
    if found is None:
        raise unknown_endpoint(said, name)
    if not json:
        way = url or said.answer.url or "the address on this machine, as answer.url is not set"
        output.err.print(f"by {way}", soft_wrap=True)
    failed = False
    kind = next(point.kind for point in said.endpoints if point.name == name)
    for label, make in _asked(query, file, kind):
        number = new_test()
        reply = ask(found.urls[0], make(number), test=number, key=key)
        kept = None if reply.status is None else find_kept(folder, number)
        wrong = _tell(name, label, reply, kept, option, json=json)
        failed = failed or wrong
    return int(failed)


def unknown_endpoint(config: Config, name: str) -> ConfigError:
    """That no endpoint has this name, with those that there are."""
    known = ", ".join(point.name for point in config.endpoints)
    return ConfigError(f"there is no endpoint {name!r}", key="endpoints", hint=f"known: {known}")


def only_endpoint(names: list[str], command: str) -> str:
    """The only one of some endpoints. Raises ConfigError where there are several."""
    if len(names) != 1:
        hint = f"switchhook endpoint {command} {names[0] if names else 'NAME'}"
        problem = f"say of which endpoint: {', '.join(names) or 'none is configured'}"
        raise ConfigError(problem, key="endpoints", hint=hint)
    return names[0]


def _asked(
    query: str | None, file: str | None, kind: EndpointKind
) -> Iterator[tuple[str, Callable[[str], str]]]:
    """What to ask, in words and as a query made for the number of a test."""
    if query is not None:
        target = samples.as_target(query)
        yield "the query", partial(_same, target)
    elif file is not None:
        for line, target in _in_file(file):
            yield f"line {line}", partial(_same, target)
    elif kind is not EndpointKind.PASSTHRU:
        yield "a call before its stream", samples.before
    else:
        yield "a stream that went well", samples.completed
        yield "a stream that failed", samples.failed


def _same(query: str, _test: str) -> str:
    return query


def _in_file(file: str) -> Iterator[tuple[int, str]]:
    """The queries in a file, with the lines that they begin in. Raises ConfigError, OSError."""
    if file != "-" and not Path(file).is_file():
        raise ConfigError("there is no such file", file=file)
    reader, count = LogReader(), 0

    def requests() -> Iterator[Any]:
        for line in source_lines(file):
            yield from reader.feed(line)
        yield from reader.end()

    for found in requests():
        if not is_passthru(found.request):
            continue
        count += 1
        if count > _MOST:
            output.err.print(f"the first {_MOST} requests were asked; the rest was left")
            return
        yield found.line, samples.as_target(found.request.query.decode("latin-1"))
    if not count:
        raise ConfigError("nothing in it looks like a passthru of Exotel's", file=file)


def _tell(
    endpoint: str,
    label: str,
    reply: Reply,
    kept: Kept | None,
    expected: Option | None,
    *,
    json: bool,
) -> bool:
    """Say how one went; whether it went wrong."""
    finding = judge_answer(f"endpoint {endpoint}", reply, kept)
    decision = None if kept is None else kept.receipt.decision
    wrong = finding.level is Level.FAIL
    taken = None if decision is None else decision.option
    other = expected is not None and taken is not expected
    if json:
        output.print_json(
            {
                "endpoint": endpoint,
                "asked": label,
                "status": reply.status,
                "option": None if taken is None else taken.value,
                "expected": None if expected is None else expected.value,
                "rule": None if decision is None else decision.rule,
                "reason": None if decision is None else decision.reason,
                "ms": round(reply.ms, 1),
                "receipt": None if kept is None else kept.id,
                "problem": finding.said if wrong else None,
            }
        )
        return wrong or other
    output.out.print(f"{label}: {output.plain(finding.said)}")
    if decision is not None and kept is not None:
        output.print_pairs([("why", decision.reason), ("receipt", kept.id)], indent=2)
    if wrong:
        output.print_pairs([("what to do", finding.todo)], indent=2)
    elif other and expected is not None and taken is not None:
        output.out.print(f"  Option {expected.value} was expected, and {taken.value} was taken")
    return wrong or other
