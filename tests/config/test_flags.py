"""`[flags]`: what can be declared, and what is said of the rest."""

from __future__ import annotations

import pytest

from switchhook.config import ConfigProblems, load_config
from switchhook.config.flags import MOST_FLAGS, RESERVED
from switchhook.config.rules_terms import terms_of
from switchhook.rules.expression import Invalid, check, language_of
from switchhook.rules.flags import Flag, FlagKind, Window


def read(text):
    return load_config(text, file="c.toml", environ={}, read_file=lambda _path: b"").flags


def refusals(text):
    with pytest.raises(ConfigProblems) as refused:
        read(text)
    return [(each.key, each.problem, each.hint) for each in refused.value.problems]


def test_flags_of_all_kinds_are_read_in_their_order():
    found = read(
        """
        [flags.off]
        kind = "boolean"
        default = false
        description = "बंद: nobody to vendor B"
        [flags._which]
        kind = "text"
        default = ""
        [flags.most]
        kind = "number"
        default = 5
        [flags.share_of]
        kind = "number"
        default = 5.0
        [flags.new]
        kind = "percentage"
        default = 12.5
        [flags.day]
        kind = "window"
        default = { from = "21:00", until = "06:30", days = ["Fri", "monday"], zone = "UTC" }
        [flags.festival]
        kind = "window"
        default = { from = 2026-11-08T00:00:00+05:30, until = "2026-11-09T00:00:00+05:30" }
        [flags.lines]
        kind = "list"
        default = ["a", ""]
        """
    )
    assert found == (
        Flag("off", FlagKind.BOOLEAN, False, "बंद: nobody to vendor B"),
        Flag("_which", FlagKind.TEXT, ""),
        Flag("most", FlagKind.NUMBER, 5),
        Flag("share_of", FlagKind.NUMBER, 5.0),
        Flag("new", FlagKind.PERCENTAGE, 12.5),
        Flag("day", FlagKind.WINDOW, Window("21:00", "06:30", ("monday", "friday"), "UTC")),
        Flag(
            "festival",
            FlagKind.WINDOW,
            Window("2026-11-08T00:00:00+05:30", "2026-11-09T00:00:00+05:30"),
        ),
        Flag("lines", FlagKind.LIST, ["a", ""]),
    )
    types = ["bool", "string", "int", "double", "bool", "bool", "bool", "list(string)"]
    assert [flag.type for flag in found] == types


@pytest.mark.parametrize(
    ("text", "key", "problem", "hint"),
    [
        ("[flags.A]\nkind = 'text'\ndefault = ''", "flags.'A'",
         "no such name is possible for a flag",
         "1 to 64 of a-z, 0-9 and _, the first no digit: rules read flags.NAME"),
        ("[flags.in]\nkind = 'text'\ndefault = ''", "flags.in",
         "'in' is a reserved word of the rules' language", "rename it"),
        ("[flags.a]\ndefault = 1", "flags.a", "it has no kind",
         'kind is one of "boolean", "text", "number", "percentage", "window", "list"'),
        ("[flags.a]\nkind = 'number'", "flags.a", "it has no default",
         "what it is as long as nobody sets it"),
        ("[flags.a]\nkind = 'bool'\ndefault = true", "flags.a.kind", "no such choice: 'bool'",
         '"boolean" or "text" or "number" or "percentage" or "window" or "list"'),
        ("[flags.a]\nkind = 'boolean'\ndefault = 'true'", "flags.a.default",
         "a boolean is neither", "true or false, without quotes"),
        ("[flags.a]\nkind = 'percentage'\ndefault = 101", "flags.a.default",
         "no such percentage is possible",
         "0 to 100, with two decimals at most, such as 5 or 12.5"),
        ("[flags.a]\nkind = 'text'\ndefault = 'x'\nowner = 'me'", "flags.a",
         "unknown key 'owner'", "known: kind, default, description"),
        ("flags = 3", "flags", "it is not a table", "write [flags] on a line, its keys below"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place_and_what_to_write(text, key, problem, hint):
    assert refusals(text) == [(key, problem, hint)]


def test_there_are_bounds():
    text = "".join(f"[flags.f{n}]\nkind = 'number'\ndefault = {n}\n" for n in range(MOST_FLAGS + 1))
    assert refusals(text) == [("flags", f"{MOST_FLAGS + 1} of them; the most is {MOST_FLAGS}", "")]


def test_each_reserved_word_is_one_of_the_language():
    """And those that are possible names of flags work in rules."""
    for word in RESERVED:
        with pytest.raises(Invalid):
            check(f"flags.{word}", language_of(((word, "bool"),)))
    for word in ("all", "has", "map", "size", "matches", "bool", "int", "type", "if", "as", "x1"):
        check(f"flags.{word}", language_of(((word, "bool"),)))


def test_rules_of_every_endpoint_may_read_them():
    config = load_config(
        "[endpoints.a]\n[endpoints.b]\nkind = 'admit'\naccount = 'm'\n[accounts.m]\n"
        "sid = 's'\npoll = false\n[flags.off]\nkind = 'boolean'\ndefault = false\n",
        file="c.toml",
        environ={},
        read_file=lambda _path: b"",
    )
    assert [terms_of(config, point).flags for point in config.endpoints] == [config.flags] * 2
