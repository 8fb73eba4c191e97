"""A bot's address: what is made of it, what is shown of it, and what is refused."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.config.bot_address import (
    bare_url,
    check_length,
    member_address,
    private_network,
    query_of,
    shown_address,
    whole_url,
)
from switchhook.config.keys import RefusedValue
from switchhook.exotel.wire.stream_url import custom_parameters, sample_rate


def test_the_whole_address():
    made = member_address(
        "wss://bot.example:8443/stream",
        credentials="user:p@ss/wörd",
        sample_rate=16000,
        parameters={"lang": "hi", "agent": "a b&c"},
    )
    assert made == (
        "wss://user:p%40ss%2Fw%C3%B6rd@bot.example:8443/stream"
        "?sample-rate=16000&lang=hi&agent=a%20b%26c"
    )
    assert member_address("wss://bot.example/s") == "wss://bot.example/s"
    assert member_address("wss://b.example/s?a=1", sample_rate=8000).endswith(
        "/s?a=1&sample-rate=8000"
    )


@given(
    st.text(st.characters(exclude_characters=":", codec="utf-8"), min_size=1),
    st.text(st.characters(codec="utf-8")),
    st.dictionaries(
        st.text("abcXYZ019_.-", min_size=1), st.text(st.characters(codec="utf-8")), max_size=3
    ),
)
def test_what_goes_in_comes_out(user, password, parameters):
    """Whatever the credentials and values hold, host and path stay what they were."""
    parameters.pop("sample-rate", None)
    made = member_address(
        "wss://bot.example/stream",
        credentials=f"{user}:{password}",
        sample_rate=24000,
        parameters=parameters,
    )
    parts = urlsplit(made)
    assert (parts.hostname, parts.path) == ("bot.example", "/stream")
    assert (unquote(parts.username or ""), unquote(parts.password or "")) == (user, password)
    assert sample_rate(made) == (24000, None)
    assert custom_parameters(made)[0] == parameters


@pytest.mark.parametrize(
    "url, shown",
    [
        ("wss://user:pass@bot.example/s?lang=hi", "wss://bot.example/s?lang=hi"),
        ("wss://bot.example/s?api_key=abc&token=", "wss://bot.example/s?api_key=…&token="),
        ("wss://bot.example", "wss://bot.example"),
    ],
)
def test_what_is_shown_of_it(url, shown):
    assert shown_address(url) == shown


@pytest.mark.parametrize(
    "url, read",
    [
        ("wss://Bot.Example/Stream", "wss://bot.example/Stream"),
        ("wss://bot.example", "wss://bot.example"),
        ("wss://[2001:db8::1]:8443/s", "wss://[2001:db8::1]:8443/s"),
        ("ws://localhost:9000/", "ws://localhost:9000/"),
    ],
)
def test_a_member_is_host_port_and_path(url, read):
    assert bare_url(url) == whole_url(url) == read


NO_ADDRESS = ("no ws or wss address", 'such as "wss://bot.example/stream"')


@pytest.mark.parametrize(
    "url, problem, hint",
    [
        ("https://bot.example/s", *NO_ADDRESS),
        ("bot.example/s", *NO_ADDRESS),
        ("wss:///s", *NO_ADDRESS),
        ("wss://bot.example:99999/s", *NO_ADDRESS),
        ("wss://[::1/s", *NO_ADDRESS),
        ("wss://user:pass@bot.example/s", "a secret in the URL",
         "put user:password into a file: auth_file"),
        ("wss://user@bot.example/s", "a secret in the URL",
         "put user:password into a file: auth_file"),
        ("wss://bot.example/s#x", "an address with a fragment",
         "remove # and what stands behind it"),
        ("wss://bot.example/ब", "an address with other characters than ASCII has",
         "encode them: %…"),
        ("wss://bot.example/a b", "an address with other characters than ASCII has",
         "encode them: %…"),
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_bot_is_refused(url, problem, hint):
    for check in (bare_url, whole_url):
        with pytest.raises(RefusedValue) as caught:
            check(url)
        assert (caught.value.problem, caught.value.hint) == (problem, hint)


@pytest.mark.parametrize(
    "url, problem, hint",
    [
        ("wss://b.example/s?sample-rate=16000", "the sample rate in the URL",
         "remove it: sample_rate = 16000"),
        ("wss://b.example/s?Sample_Rate=1", "the sample rate in the URL",
         "remove it: sample_rate = 16000"),
        ("wss://b.example/s?lang=hi&token=abc", "a query in the URL: lang, token",
         'remove it, and write parameters = { name = "value" }'),
        ("wss://b.example/s?", "a query in the URL: an empty one",
         'remove it, and write parameters = { name = "value" }'),
    ],
)  # fmt: skip
def test_a_query_of_a_member_is_refused(url, problem, hint):
    with pytest.raises(RefusedValue) as caught:
        bare_url(url)
    assert (caught.value.problem, caught.value.hint) == (problem, hint)


def test_a_fallback_may_have_a_query_that_exotel_takes():
    url = "wss://b.example/s?sample-rate=16000&a=1&b=2&c=3"
    assert whole_url(url) == url
    with pytest.raises(RefusedValue, match="4 custom parameters; Exotel takes 3"):
        whole_url(url + "&d=4")
    with pytest.raises(RefusedValue, match="sample-rate='44100' is not known"):
        whole_url("wss://b.example/s?sample-rate=44100")


def test_parameters_are_counted_as_the_url_holds_them():
    fits = {"a": "x" * 200, "b": "y" * 51}
    assert len(query_of(fits)) == 256
    check_length([(name, query_of({name: value})) for name, value in fits.items()])
    with pytest.raises(RefusedValue) as caught:
        check_length([("name", query_of({"name": "म" * 28})), ("b", "b=1")])
    assert caught.value.problem == (
        "custom parameters of 261 characters in the URL; Exotel takes 256, that is 5 too many"
    )
    assert caught.value.hint == "shorten 'name', the longest: 257"


@pytest.mark.parametrize(
    "url, network",
    [
        ("ws://127.0.0.1/", "this machine"),
        ("ws://[::1]/", "this machine"),
        ("ws://localhost:1/", "this machine"),
        ("wss://10.1.2.3/", "a private network"),
        ("wss://192.168.0.9/", "a private network"),
        ("wss://100.64.0.1/", "a private network"),
        ("wss://[fd00::1]/", "a private network"),
        ("wss://169.254.169.254/", "a link-local network"),
        ("wss://[fe80::1]/", "a link-local network"),
        ("wss://0.0.0.0/", "this machine"),
        ("wss://2130706433:18080/s", "this machine"),
        ("wss://0x7f.1:18080/s", "this machine"),
        ("wss://8.8.8.8/", ""),
        ("wss://bot.example/", ""),
    ],
)
def test_networks_of_ones_own_are_known(url, network):
    assert private_network(url) == network
