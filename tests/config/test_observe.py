"""`[log]` and `[traces]`: what is taken, what is refused, and that no header is shown."""

from __future__ import annotations

import pytest

from switchhook.config import Config, ConfigProblems, load_config
from switchhook.config.observe import LogFormat, LogLevel

HEADER = "Authorization: Bearer not-to-be-shown"


def load(text: str) -> Config:
    return load_config(
        text,
        file="switchhook.toml",
        environ={"HEADER": HEADER, "BROKEN": "not-to-be-shown"},
        read_file=lambda _: f"# of the collector\n{HEADER}\nX-Team: voice \n".encode(),
    )


def refusal(text: str) -> str:
    with pytest.raises(ConfigProblems) as caught:
        load(text)
    return str(caught.value)


def test_without_a_word_the_log_is_text_and_nothing_is_traced():
    config = load("[answer]\n")
    assert (config.log.format, config.log.level) == (LogFormat.TEXT, LogLevel.INFO)
    assert not config.log.json
    assert (config.traces.endpoint, config.traces.share) == ("", 1.0)


def test_all_of_it_is_read():
    config = load(
        '[log]\nformat = "json"\nlevel = "debug"\n[traces]\nendpoint = "https://t.example/v1/traces"\n'
        'header_files = ["headers"]\nheader_env = ["HEADER"]\nshare = 0.25\n'
    )
    assert config.log.json
    assert config.log.level == "debug"
    assert config.traces.pairs() == {
        "Authorization": "Bearer not-to-be-shown",
        "X-Team": "voice",
    }
    assert config.traces.share == 0.25
    assert "not-to-be-shown" not in repr(config)


@pytest.mark.parametrize(
    "text, said",
    [
        ('[log]\nformat = "xml"', 'log.format: no such choice: \'xml\' ("text" or "json")'),
        ('[log]\nlevel = "loud"', "log.level: no such choice"),
        ("[log]\ncolour = true", "log: unknown key 'colour'"),
        ('[traces]\nendpoint = "collector:4318"', "traces.endpoint: no URL of http or https"),
        ('[traces]\nendpoint = "http://a b/"', "traces.endpoint: no URL"),
        ('[traces]\nendpoint = "http://[::1/"', "traces.endpoint: no URL"),
        ('[traces]\nendpoint = "http://t.example:99999/"', "traces.endpoint: no URL"),
        (
            '[traces]\nendpoint = "http://u:p@t.example/"',
            "it holds more than host, port and path (put keys into header_files)",
        ),
        ("[traces]\nshare = 1.5", "traces.share: 1.5 is out of bounds"),
        ('[traces]\nheader_env = ["HEADER"]', "it has headers, but no endpoint"),
        (
            '[traces]\nendpoint = "http://t.example/"\nheader_env = ["BROKEN"]',
            "traces.header_env: a header is not a line of NAME: VALUE",
        ),
    ],
)
def test_what_is_wrong_is_said_without_what_is_secret(text, said):
    found = refusal(text)
    assert said in found
    assert "not-to-be-shown" not in found
