"""The real program with something to see on every page, and the way to each of its pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from program import Program, command, running
from switchhook.alerts.on_it_link import PATH, OnIt, make_link
from switchhook.exotel.wire.active_streams import ActiveStreams, build_json
from switchhook.journal import JournalWriter
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.sqlite_file import connect_checked
from switchhook.system.data_folder import JOURNAL, DataFolder, read_identity
from webhook import Receiver, receiving

from .traffic import HOSTS, Traffic

BY_CALLBACK = "4c1888cf5d9f430b8dd424dd85aa1abt"
"""A call that only status callbacks told of."""
PASSWORD = "eleven purple teacups"
ASHA, MEENA, RAVI = "asha", "meena", "ravi"
CONFIG = """
[console]
users = true

[accounts."Acme Bank"]
sid = "acme1"
url = "{exotel}"
key_file = "key"
token_file = "token"

[accounts."தமிழ் சேவை"]
sid = "acme2"
url = "http://127.0.0.1:9"
key_file = "key"
token_file = "token"

[endpoints.reception]
account = "Acme Bank"
leads = {{ A = "goodbye", B = "agents' queue" }}

[endpoints.sales]
rules = "sales.toml"

[endpoints.unused]

[bots."वाणी"]
hosts = ["voice.acme.example"]
owner = "Voice team"
contact = "voice@acme.example"

[exophones."+918047112233"]
name = "Front desk"

[alerts.send.ops]
url_file = "ops-url"

[alerts.send.dead]
url_file = "dead-url"

[alerts.policy.night]
steps = [["ops"], ["dead"]]
wait_min = 10
"""
RULES = """
[[rule]]
name = "it went wrong"
when = 'stream.status == "failed"'
option = "B"

[default]
option = "A"
"""


class Whole:
    """A console with users, traffic, an account, alerts that fire, and a file that is refused."""

    def __init__(self, program: Program, hook: Receiver, folder: Path) -> None:
        self.program, self.hook, self.folder = program, hook, folder
        self.address = program.urls["console"]
        self.rules = RULES

    def age_sessions(self) -> None:
        """As if everybody had signed in long ago."""
        file = self.program.data / "ledger" / "ledger.sqlite"
        ledger = connect_checked(file, APPLICATION_ID, CHECKED_VERSION)
        ledger.execute("UPDATE sessions SET proved_us = 0")
        ledger.close()

    def on_it(self, alert: dict[str, str], to: str) -> str:
        """The path of the link in a message of an alert, as the API tells of it."""
        fired = datetime.fromisoformat(alert["fired_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
        on_it = OnIt(alert["id"], fired // timedelta(milliseconds=1), to)
        return PATH + make_link(read_identity(self.program.data).key, on_it)


@contextmanager
def whole(folder: Path) -> Iterator[Whole]:
    """The program, until the block ends."""
    data = folder / "data"
    with ExitStack() as stack:
        hook = stack.enter_context(receiving())
        body = build_json(ActiveStreams(78, 100, "acme1"))
        exotel = stack.enter_context(receiving(body=body))
        config = folder / "switchhook.toml"
        config.write_text(CONFIG.format(exotel=exotel.url))
        (folder / "sales.toml").write_text(RULES)
        for name, text in {
            "key": "k" * 20,
            "token": "t" * 20,
            "ops-url": hook.url.replace("http://", "json://"),
            "dead-url": "json://127.0.0.1:9/",
        }.items():
            (folder / name).touch(mode=0o600)
            (folder / name).write_text(text)
        _fill(data)
        for name, role in {ASHA: "administrator", MEENA: "operator", RAVI: "viewer"}.items():
            add = ("users", "add", name, "--role", role, "--data", str(data))
            command(*add, typed=PASSWORD)
        program = stack.enter_context(running(data, "--config", str(config)))
        (folder / "sales.toml").write_text(RULES.replace("stream.status", "stream.stauts"))
        for path in ("/passthru/reception/not-the-secret", "/passthru/nobody/x"):
            program.ask("CallSid=c1&CallFrom=09812345678&Stream[Status]=failed", path)
        yield Whole(program, hook, folder)


def _fill(data: Path) -> None:
    with DataFolder.open(data, "answer") as held:
        writer = JournalWriter(
            held.folder(JOURNAL),
            node=held.node,
            notify=lambda call: call(),
            observe=lambda event: None,
            synchronous="OFF",
        )
        traffic = Traffic(writer)
        traffic.fill()
        now = time.time()
        for at in range(60):
            traffic.tell("refused", now - 60 + at, host=HOSTS[0])
        for call, status in ((BY_CALLBACK, "no-answer"), (BY_CALLBACK[::-1], "busy")):
            said = {"CallSid": call, "Status": status, "From": "08047112233", "To": "09812345678"}
            form = "application/x-www-form-urlencoded"
            told = StatusReceived(int(now * 1e6), "Acme Bank", urlencode(said).encode(), form)
            writer.append(RecordKind.STATUS, int(now * 1000), encode(told))
        assert writer.flush(30)
        writer.close(5)
