"""No secret survives redaction, in any encoding; everything else stays as it came."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.answer.redact import _URL, PREFIX, Literals, Redactor

redact = Redactor(b"k" * 32, ["endpoint-secret-1"])
SAID = "token=HIDDEN"
URL = "wss://user:HIDDEN@bot.example.com/ws?token=HIDDEN&lang=hi"


def once(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize(
    "raw",
    [
        f"Stream[StreamUrl]={once(URL)}&a=1",
        f"Stream%5BStreamUrl%5D={once(once(URL))}&a=1",
        'Stream={"StreamUrl":"wss:\\/\\/u:HIDDEN@h\\/m?token=HIDDEN&key=HIDDEN","Status":"x"}',
        "Stream={'StreamUrl': 'wss://h/m?token=HIDDEN', 'Status': 'failed'}",
        "Stream[StreamUrl]=wss://h/m?token=HIDDEN'HIDDEN&a=1",
        "secret=HIDDEN&CallSid=a1",
        "CallSid=a1&passthru=%22https%3A%5C%2F%5C%2Fx%3Fsecret%3DHIDDEN%22",
    ],
)
def test_redact_hides_secrets(raw):
    """User info, tokens of WebSocket URLs, the secret parameter and the echoed URL."""
    cleaned = redact(raw.encode())
    assert b"HIDDEN" not in cleaned
    assert PREFIX in cleaned
    assert redact(cleaned) == cleaned


CUTS = ["'", "#", " ", "}", '"', "%20", "%22", "%23", "%26", "%2526", "%7D", "+", "fp_"]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize(
    "template",
    [
        "secret={}",
        "CallSid=a1&secret={}&From=1",
        'x="ws://h&secret={}',
        'y=?&x="ws://h&secret={}&CallSid=a1',
        'x="wss://h?a=1;secret={}',
        'Stream={{"StreamUrl":"wss://h/m?secret={}","Status":"failed"}}',
    ],
)
def test_no_part_of_a_secret_parameter_is_left(template, cut):
    """Whatever stands in it; and what stands behind it in JSON stays."""
    for secret in (f"HIDDEN{cut}HIDDEN", f"fp_{cut}HIDDEN", f"fp_0123456789abcdef{cut}HIDDEN"):
        cleaned = redact(template.format(secret).encode())
        assert b"HIDDEN" not in cleaned, secret
        assert redact(cleaned) == cleaned
        assert (b'","Status":"failed"}' in cleaned) is ("Status" in template)


def test_what_looks_like_a_fingerprint_is_hidden():
    assert b"HIDDEN" not in redact(b"Stream[StreamUrl]=wss://fp_HIDDEN:HIDDEN@h/m?token=fp_HIDDEN")


def test_redact_hides_the_endpoints_secret_anywhere():
    """Even where nothing says that it is one."""
    assert b"endpoint-secret-1" not in redact(b"CustomField=xendpoint-secret-1x")


@pytest.mark.parametrize(
    "raw",
    [
        b"CallSid=a1&From=%2B919000000001&CustomField=order%3D12%26key%3D5",
        b"Stream[StreamUrl]=wss%3A%2F%2Fbot.example.com%2Fm%3Fsample-rate%3D16000",
        b"provider=exotel&verify_token=correct&horse",
        b"CustomField=someone%40example.com",
        b"",
    ],
)
def test_redact_leaves_everything_else(raw):
    """What holds no credentials of ours is kept as it came."""
    assert redact(raw) == raw


@given(
    st.lists(
        st.sampled_from('wsWS:/?&" \\')
        | st.sampled_from(["ws", "//", "%3a", "%252F", "%3F", "%26", "%2526", SAID]),
        max_size=40,
    ).map("".join)
)
def test_urls_are_found_as_their_pattern_finds_them(text):
    raw = text.encode()
    for _ in range(2):  # what had nothing secret is remembered
        found = redact._redact_urls(raw, raw.lower().find(b"ws"))
        assert found == _URL.sub(redact._redact_url, raw)


def test_addresses_without_a_secret_fill_no_memory():
    many = Redactor(b"k")
    for number in range(3 * many.MOST):
        many(b"Url=wss://h/m?n=%d" % number)
        many(b"Url=wss://h/m?token=%d" % number)
        many(b"Url=wss://h/%b" % (b"x" * many.LONGEST))
    assert 0 < len(many._harmless) <= many.MOST
    assert not any(b"token" in each or b"xxx" in each for each in many._harmless)


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=30),
    st.binary(max_size=60),
    st.data(),
)
def test_of_any_number_of_texts_each_that_stands_in_a_request_is_found(texts, before, data):
    """Wherever it stands, of any length, and beside others that are a part of it."""
    inside = data.draw(st.sampled_from(texts)) if texts else b""
    raw = before + inside + data.draw(st.binary(max_size=60))
    known = list(dict.fromkeys(texts))
    assert Literals(texts).in_(raw) == [each for each in known if each in raw]


@pytest.mark.parametrize("at", range(20))
def test_many_endpoints_secrets_are_hidden_wherever_they_stand(at: int):
    secrets = [f"{number:03d}-of-two-hundred-secrets" for number in range(200)]
    hides = Redactor(b"k" * 32, secrets)
    cleaned = hides(b"x" * at + secrets[137].encode() + b"&a=1")
    assert b"of-two-hundred" not in cleaned
    assert cleaned == b"x" * at + hides.fingerprint(secrets[137].encode()) + b"&a=1"
