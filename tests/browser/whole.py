"""The real program with something to see on every page, and the way to each of its pages."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from callbacks.desk import Desk, number
from patience import PATIENCE_S
from program import Program, command, running, until
from switchhook.access.audit import Deed
from switchhook.alerts.on_it_link import PATH, OnIt, make_link
from switchhook.capacity.facts_file import FactsReader
from switchhook.exotel.wire.active_streams import ActiveStreams, build_json
from switchhook.journal import JournalWriter
from switchhook.journal.receipt import RecordKind, StatusReceived, encode
from switchhook.ledger.sqlite import APPLICATION_ID, CHECKED_VERSION
from switchhook.sqlite_file import connect_checked
from switchhook.system.data_folder import JOURNAL, DataFolder, boot_id, read_identity
from webhook import Receiver, receiving

from .traffic import HOSTILE, HOSTS, Traffic

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

[accounts."Acme Bank".callbacks]
exophone = "+918047112233"
flow = "4711"

[accounts."தமிழ் சேவை"]
sid = "acme2"
url = "http://127.0.0.1:9"
key_file = "key"
token_file = "token"

[accounts."தமிழ் சேவை".callbacks]
exophone = "+918047112244"
bot = "wss://voice.acme.example/callback"
hours = "lenders"

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
MORE = """
[[rule]]
name = "NAME"
when = 'stream.duration < 5'
option = "B"

"""


class Whole:
    """A console with users, traffic, an account, alerts that fire, and a file that is refused."""

    def __init__(self, program: Program, hook: Receiver, folder: Path) -> None:
        self.program, self.hook, self.folder = program, hook, folder
        self.address = program.urls["console"]
        self.rules = RULES
        self.releases: dict[str, int] = {}
        """The numbers of releases, by what is to be seen of each."""

    def release(self, of: str, *words: str) -> None:
        """Have a release of a changed text, and do something with it."""
        file = self.folder / f"{of}.toml"
        file.write_text(RULES.replace("[default]", f"{MORE}[default]").replace("NAME", of))
        words = (words[0], str(file), *words[1:])
        data = self.program.data
        reason = ("--reason", f"ticket 42: {of}")
        done = command("release", *words, *reason, "--data", str(data), code=None)
        if words[0] == "canary":  # a console that still reads what was kept tells of none yet
            reader = FactsReader(data, boot_id())
            told = lambda: reader.look(time.time_ns() // 1_000_000)[1].rollouts  # noqa: E731
            until(told, "the canary to be told")
        else:
            assert done.code == 0, done
        listed = command("release", "list", "--json", "--data", str(self.program.data)).out
        self.releases[of] = json.loads(listed.splitlines()[0])["number"]

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
        _fill_promises(data)
        for name, role in {ASHA: "administrator", MEENA: "operator", RAVI: "viewer"}.items():
            add = ("users", "add", name, "--role", role, "--data", str(data))
            command(*add, typed=PASSWORD)
        program = stack.enter_context(running(data, "--config", str(config)))
        (folder / "sales.toml").write_text(RULES.replace("stream.status", "stream.stauts"))
        for path in ("/passthru/reception/not-the-secret", "/passthru/nobody/x"):
            program.ask("CallSid=c1&CallFrom=09812345678&Stream[Status]=failed", path)
        found = Whole(program, hook, folder)
        found.release("canary", "canary", "5%", "--of", "reception")
        found.release("shadow", "shadow", "--of", "unused")
        found.release("draft", "check", "--of", "sales")
        yield found


def _fill_promises(data: Path) -> None:
    """In every state, of an account that is stopped, and of one that may dial and can't."""
    now_ms = time.time_ns() // 1_000_000
    several = Desk(data, "Acme Bank", now_ms - 3_600_000)
    several.fill()
    several.lists_refusal()
    stopped = Deed(who=MEENA, what="stopped dialling")
    several.dialling.stop(None, "the flow says nonsense: <b>ticket 42</b>", stopped, now_ms)
    several.do_not_call.add(number(70), "asked never to be called", stopped, now_ms)
    several.close()
    waiting = Desk(data, "தமிழ் சேவை", now_ms - 1_800_000)
    waiting.allow()
    for at, reason in enumerate(("throttled", "asked by key 1", HOSTILE[0][:100]), 80):
        waiting.add(at, reason=reason, class_="gold")
    waiting.close()


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
        assert writer.flush(PATIENCE_S)
        writer.close(5)
