"""Endpoints of three kinds: what each has, what is refused, and where its keywords lead."""

from __future__ import annotations

import pytest

from switchhook.config import Config, ConfigProblems, load_config, without_secrets
from switchhook.config.names import names_of
from switchhook.journal.receipt import Keep
from switchhook.rules.outcome import EndpointKind

POOLS = (
    '[bots.sales.members.a]\nurl = "wss://a.example/s"\n'
    '[bots.support.members.b]\nurl = "wss://b.example/s"\n'
    '[bots.plain]\nhosts = ["plain.example"]\n'
)
VOICEBOT = '[endpoints.e]\nkind = "voicebot"\npool = "sales"\n'
ADMIT = '[endpoints.e]\nkind = "admit"\n'
ACCOUNT = '[accounts.{name}]\nsid = "{name}"\npoll = false\n'


def load(text: str) -> Config:
    return load_config(POOLS + text, file="s.toml", environ={}, read_file=lambda path: b"u:p")


def refusal(text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    (only,) = caught.value.problems
    return str(only).removeprefix("s.toml: ")


def test_an_endpoint_is_a_passthru_where_nothing_else_is_said():
    (point,) = load("[endpoints.e]\n").endpoints
    assert point.kind is EndpointKind.PASSTHRU
    assert (point.pool, point.fallback, point.when_off, point.selects) == ("", None, 404, {})


CLUSTER = '[cluster]\ndatabase = "postgresql://db/switchhook"\n'


@pytest.mark.parametrize("head", ["[endpoints.e]\n", VOICEBOT, ADMIT])
def test_each_kind_of_endpoint_can_keep_two_copies_in_a_cluster(head):
    rest = ACCOUNT.format(name="main")
    (point,) = load(head + 'keep = "two-copies"\n' + rest + CLUSTER).endpoints
    assert point.keep is Keep.TWO_COPIES
    (point,) = load(head + 'keep = "local"\n' + rest).endpoints
    assert point.keep is Keep.LOCAL
    assert load(head + rest).endpoints[0].keep is Keep.LOCAL


def test_two_copies_need_a_database_to_have_the_second():
    assert refusal('[endpoints.e]\nkeep = "two-copies"\n') == (
        "endpoints.e.keep: the second copy is the database's, and no [cluster] database is named"
        " (set cluster.database, or remove keep)"
    )
    assert refusal('[endpoints.e]\nkeep = "twice"\n') == (
        'endpoints.e.keep: no such choice: \'twice\' ("local" or "two-copies")'
    )


@pytest.mark.parametrize(
    ("text", "only"),
    [
        (
            '[endpoints.e]\nkeep = "two-copies"\n[cluster]\ndatabase_env = "DB"\n',
            "cluster.database_env: the environment has no 'DB'",
        ),
        (
            '[answer]\nlisten = "0.0.0.0:8080"\n[endpoints.e]\nsecret_env = ["GONE"]\n',
            "endpoints.e.secret_env: the environment has no 'GONE'",
        ),
        (ADMIT + "account = 1\n", "endpoints.e.account: it is a whole number, not a text"),
    ],
)
def test_what_was_refused_is_not_missing_as_well(text, only):
    assert refusal(text).startswith(only)


def test_an_endpoint_of_kind_admit():
    config = load(ADMIT + ACCOUNT.format(name="main") + "[accounts.main.reserves]\nvip = 5\nx = 0")
    (point,) = config.endpoints
    assert point.kind is EndpointKind.ADMIT
    assert config.accounts[0].reserves == {"vip": 5, "x": 0}


def test_keywords_lead_somewhere_in_words():
    names = names_of(
        load('[endpoints.e.selects]\npeople = "लोगों की कतार"\n[endpoints.e.leads]\nA = "bot"')
    )
    assert names.destination("e", "A") == "bot"
    assert names.destination("e", "A", "people") == "लोगों की कतार"
    assert names.destination("e", "A", "unnamed") == "unnamed"


def test_the_record_of_a_configuration_holds_no_secret_of_a_bot():
    said = without_secrets(
        POOLS + '[bots.sales.members.c]\nurl = "wss://c.example"\n'
        'parameters = { api_key = "s3cret", lang = "hi" }\n'
        '[endpoints.e]\nkind = "voicebot"\nfallback = "wss://f.example/s?token=s3cret&lang=hi"\n'
    )
    assert "s3cret" not in said
    assert said.count('"hi"') + said.count("lang=hi") == 2


@pytest.mark.parametrize(
    "text, message",
    [
        ('[endpoints.e]\nkind = "vocebot"', "endpoints.e.kind: no such choice: 'vocebot' "
         '("passthru" or "admit" or "voicebot")'),
        ('[endpoints.e]\nkind = "voicebot"', "endpoints.e: nothing says which bots take its calls "
         '(pool = "…", the name of a [bots.NAME] with members; or rules = "…")'),
        (VOICEBOT.replace('"sales"', '"sale"'), "endpoints.e.pool: there is no pool 'sale' "
         "(did you mean 'sales'?)"),
        (VOICEBOT.replace('"sales"', '"xyz"'), "endpoints.e.pool: there is no pool 'xyz' "
         "(known: sales, support)"),
        (VOICEBOT.replace('"sales"', '"plain"'), "endpoints.e.pool: bot 'plain' is no pool, as it "
         "has no members (known: sales, support)"),
        ('[endpoints.e]\npool = "sales"', 'endpoints.e: pool is for kind = "voicebot", and this '
         'one is "passthru" (set kind, or remove pool)'),
        ('[endpoints.e]\nwhen_off = 404', 'endpoints.e: when_off is for kind = "voicebot", and '
         'this one is "passthru" (set kind, or remove when_off)'),
        (f'{VOICEBOT}safe_option = "B"', 'endpoints.e: safe_option is for kind = "passthru" or '
         '"admit", and this one is "voicebot" (set kind, or remove safe_option)'),
        (f'{VOICEBOT}[endpoints.e.selects]\na = "b"', 'endpoints.e: selects is for kind = '
         '"passthru", and this one is "voicebot" (set kind, or remove selects)'),
        (f'{VOICEBOT}mode = "async"', 'endpoints.e: mode = "async" is for kind = "passthru", and '
         'this one is "voicebot" (its answer is waited for: remove mode)'),
        (f"{VOICEBOT}when_off = 200", "endpoints.e.when_off: 200 is out of bounds (400 to 599)"),
        (f'{VOICEBOT}fallback = "https://a.example"', "endpoints.e.fallback: no ws or wss address "
         '(such as "wss://bot.example/stream")'),
        (f'{VOICEBOT}fallback = "wss://u:p@a.example"', "endpoints.e.fallback: a secret in the URL "
         "(put user:password into a file: auth_file)"),
        (f'{VOICEBOT}fallback = "ws://a.example"', "endpoints.e: fallback: ws lets everybody on "
         "the way listen to the call "
         "(write wss, or allow_private = true for a network of your own)"),
        *((f'{VOICEBOT}fallback = "wss://{host}/s"', "endpoints.e: fallback: its url is an address "
           "of this machine, which Exotel can't reach "
           "(if your network can: allow_private = true)")
          for host in ("127.0.0.1:1", "2130706433", "0x7f.1", "[::1]", "localhost")),
        (f'{VOICEBOT}fallback = "wss://a.example?sample-rate=1"', "endpoints.e.fallback: "
         "sample-rate='1' is not known (8000, 16000 or 24000)"),
        (ADMIT, "endpoints.e: nothing says which account's streams it counts "
         '(account = "…"; none is configured)'),
        (ADMIT + ACCOUNT.format(name="a") + ACCOUNT.format(name="b"), "endpoints.e: nothing says "
         "which account's streams it counts (account = \"…\"; known: a, b)"),
        (ADMIT + ACCOUNT.format(name="a") + "[accounts.a.reserves]\nVIP = 1",
         "accounts.a.reserves: no such class is possible: 'VIP' (1 to 32 of a-z, 0-9, _ and -)"),
        (ADMIT + ACCOUNT.format(name="a") + "[accounts.a.reserves]\nall = 1",
         "accounts.a.reserves: class 'all' is a reserved word "
         "(all, any, foreign, none, unknown say what is of no class; choose another name)"),
        (ACCOUNT.format(name="a") + "[accounts.a.reserves]\nvip = -1",
         "accounts.a.reserves.vip: -1 is out of bounds (0 to 100,000)"),
        ('[endpoints.e.selects]\n"a b" = "c"', "endpoints.e.selects: no such select is possible: "
         "'a b' (1 to 64 of A-Z, a-z, 0-9, _ and -, as a SwitchCase applet compares it)"),
        ("[endpoints.e.selects]\na = 1", "endpoints.e.selects.a: it is a whole number, not a text "
         '(put it between quotes: "…")'),
    ],
)  # fmt: skip
def test_what_an_endpoint_of_its_kind_has_not_is_refused(text, message):
    assert refusal(text) == message
