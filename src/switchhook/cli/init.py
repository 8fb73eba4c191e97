"""`switchhook init`: a few questions, and a configuration, rules and a secret that run."""

from __future__ import annotations

import getpass
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter

from switchhook.cli import output
from switchhook.config import load_config
from switchhook.config.secrets import SHORTEST_SECRET
from switchhook.config.starter import CONFIG, StarterAnswers, StarterFile, starter_files
from switchhook.config.values import ConfigProblems, Mode
from switchhook.errors import ConfigError
from switchhook.rules.rules_file import load_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MACHINE = Path("/etc/switchhook")
_MACHINES_DATA = "/var/lib/switchhook"
_PRIVATE, _GROUP, _PUBLIC = 0o600, 0o640, 0o644

Option = Annotated[str | None, Parameter()]


def init(
    folder: str = ".",
    *,
    endpoint: Option = None,
    url: Option = None,
    mode: Annotated[Mode | None, Parameter()] = None,
    leads_a: Option = None,
    leads_b: Option = None,
    sid: Option = None,
    region: Option = None,
    alerts_to: Option = None,
    data: Option = None,
) -> int:
    """Write a first configuration, rules and a secret, and say what to do next.

    On a terminal it asks for what is not given; elsewhere what is not given is left for later.
    Nothing that is there is written over. Key and token of the API, and where alerts go, are
    secrets: they are typed when asked for, or put into the files later.

    For example:

        switchhook init
        switchhook init /etc/switchhook --endpoint sales --url https://hooks.example.com

    Parameters
    ----------
    folder
        Where to write: switchhook.toml is found in the folder that a command is run in, and in
        /etc/switchhook.
    endpoint
        The name of the endpoint, which becomes part of its URL; "default" unless said.
    url
        How Exotel reaches this machine, such as https://hooks.example.com.
    mode
        Whether the flow waits for the answer (sync), or is only told of streams (async).
    leads_a
        Where Option A leads in the flow, in your words.
    leads_b
        Where Option B leads: the safe one, such as people.
    sid
        The SID of the account at Exotel, to watch its streams.
    region
        Where the account is, mumbai or singapore.
    alerts_to
        Where alerts go, as an address of apprise; other processes can see it on a command line.
    data
        The data folder; "data" beside the configuration, or /var/lib/switchhook for that in /etc.
    """
    given: dict[str, Any] = {
        "endpoint": endpoint,
        "url": url,
        "mode": mode,
        "leads_a": leads_a,
        "leads_b": leads_b,
        "sid": sid,
        "region": region,
        "alerts_to": alerts_to,
        "data": data or (_MACHINES_DATA if Path(folder).absolute() == _MACHINE else None),
    }
    said = {name: value for name, value in given.items() if value is not None}
    answers = StarterAnswers(**said)
    place = Path(folder)
    asks = sys.stdin.isatty()
    if region is not None and not sid and not asks:
        hint = "say --sid too, or leave it out: nothing was written"
        raise ConfigError("it is an account's, and --sid names none", key="--region", hint=hint)
    _refuse_what_is_there(place, starter_files(answers, ""))
    _check(answers)
    if asks:
        try:
            answers = _Questions(answers, frozenset(said)).ask()
        except EOFError:
            raise ConfigError(
                "the answers ended before the questions: nothing was written"
            ) from None
    files = starter_files(answers, secret := secrets.token_urlsafe(24))
    _refuse_what_is_there(place, files)
    _write_all(place, files)
    for file in files:
        output.out.print(f"wrote {place / file.path}", soft_wrap=True)
    _say_what_is_next(place, answers, secret)
    return 0


class _Questions:
    """What is asked at a terminal; an answer that can't be used is asked for again."""

    def __init__(self, answers: StarterAnswers, given: frozenset[str]) -> None:
        self.answers, self._given = answers, given

    def ask(self) -> StarterAnswers:
        self._one("endpoint", "Name of the endpoint, as part of its URL")
        self._one("url", "How Exotel reaches this machine, https://… (empty: not known yet)")
        self._one("mode", "Does the flow wait for A or B (sync), or only tell us (async)?", Mode)
        if self.answers.mode is Mode.SYNC:
            self._one("leads_a", "Where does Option A lead, such as: the bot again (empty: later)")
            self._one("leads_b", "Where does Option B lead, such as: people (empty: later)")
        self._one("sid", "SID of your account at Exotel, to watch its streams (empty: later)")
        if not self.answers.sid and "region" in self._given:
            output.err.print("  --region is left out: it is an account's, and none was named")
        if self.answers.sid:
            self._one("region", "Where is the account: mumbai or singapore?")
            self._one("key", "Its API key (not shown; empty: later)", hidden=True)
            self._one("token", "Its API token (not shown; empty: later)", hidden=True)
        question = "Where do alerts go, as an apprise address (not shown; empty: later)"
        self._one("alerts_to", question, hidden=True)
        return self.answers

    def _one(
        self,
        name: str,
        question: str,
        read: Callable[[str], object] = str,
        *,
        hidden: bool = False,
    ) -> None:
        if name in self._given:
            return
        default = getattr(self.answers, name)
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        while True:
            typed = (getpass.getpass(prompt) if hidden else input(prompt)).strip()
            try:
                value = read(typed) if typed else default
                answers = msgspec.structs.replace(self.answers, **{name: value})
                _check(answers)
            except ConfigProblems as error:
                output.err.print("  " + "\n  ".join(_problem(each) for each in error.problems))
            except ValueError:
                output.err.print(f"  one of: {', '.join(Mode)}")
            else:
                self.answers = answers
                return


def _check(answers: StarterAnswers) -> None:
    """Whether the answers make files that check out. Raises ConfigError."""
    files = starter_files(answers, "x" * SHORTEST_SECRET)
    texts = {file.path: file.text.encode() for file in files}
    load_config(texts[CONFIG], file=CONFIG, environ={}, read_file=lambda path: texts[path])
    for path, text in texts.items():
        if path.startswith("rules/"):
            load_rules(text, file=path, strict=True)


def _problem(error: ConfigError) -> str:
    return f"{error.problem} ({error.hint})" if error.hint else error.problem


def _refuse_what_is_there(place: Path, files: Sequence[StarterFile]) -> None:
    for file in files:
        if os.path.lexists(place / file.path):
            hint = "nothing was written; move it away, or name another folder"
            if file.path == CONFIG:
                hint += "; for one more endpoint: switchhook secret NAME"
            raise ConfigError("it is there already", file=str(place / file.path), hint=hint)


def _write_all(place: Path, files: Sequence[StarterFile]) -> None:
    """All of them, or none."""
    written: list[Path] = []
    try:
        for file in files:
            _write(place, file)
            written.append(place / file.path)
    except OSError:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def _write(place: Path, file: StarterFile) -> None:
    """A new file; a secret is readable by us, and by the group that the folder was given to."""
    path = place / file.path
    path.parent.mkdir(mode=0o750 if file.secret else 0o755, parents=True, exist_ok=True)
    group = place.stat().st_gid
    shared = group != os.getegid()
    mode = (_GROUP if shared else _PRIVATE) if file.secret else _PUBLIC
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    with open(descriptor, "w", encoding="utf-8") as opened:  # noqa: PTH123
        opened.write(file.text)
        if file.secret and shared:
            for each in (path.parent, path):
                os.chown(each, -1, group)
        os.fchmod(descriptor, mode)


def _say_what_is_next(place: Path, answers: StarterAnswers, secret: str) -> None:
    base = answers.url or "http://127.0.0.1:8080"
    said = [
        "",
        "URL for the Passthru applet, to be pasted whole:",
        f"  {base.rstrip('/')}/passthru/{answers.endpoint}/{secret}",
    ]
    if not answers.url:
        said.append("  (on this machine only: put answer.url into the file once Exotel reaches it)")
    here = "" if place.absolute() in (Path.cwd(), _MACHINE) else f" --config {place / CONFIG}"
    said += [
        "",
        "Next:",
        f"  switchhook check{here}",
        f"  switchhook serve{here}",
        f"  switchhook endpoint test {answers.endpoint}{here}",
        f"  switchhook doctor{here}",
    ]
    for line in said:
        output.out.print(line, soft_wrap=True)
