"""No secret survives redaction, in any encoding; everything else stays as it came."""

from urllib.parse import quote

import pytest

from switchhook.answer.redact import PREFIX, Redactor

redact = Redactor(b"k" * 32, ["endpoint-secret-1"])
URL = "wss://user:HIDDEN@bot.example.com/ws?token=HIDDEN&lang=hi"


def once(text: str) -> str:
    return quote(text, safe="")


@pytest.mark.parametrize(
    "raw",
    [
        f"Stream[StreamUrl]={once(URL)}&a=1",
        f"Stream%5BStreamUrl%5D={once(once(URL))}&a=1",
        'Stream={"StreamUrl":"wss:\\/\\/u:HIDDEN@h\\/m?token=HIDDEN&key=HIDDEN","Status":"x"}',
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
