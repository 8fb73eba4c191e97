"""What the answer process makes of the configuration."""

from __future__ import annotations

from switchhook.config import load_config
from switchhook.config.own_links import secrets_of
from switchhook.server.answer_settings import (
    endpoints_of,
    receiving_accounts,
    settings_of,
)

CONFIG = """
[endpoints.sales]
secret_env = ["SALES"]

[endpoints.support]

[accounts.main]
sid = "acme"
poll = false
status_secret_env = ["STATUS"]
"""
ENVIRON = {"SALES": "the-secret-of-sales-1", "STATUS": "the-secret-of-status-1"}
KEY = b"k" * 32


def _none(path: str) -> bytes:
    raise FileNotFoundError(2, path)


def test_a_webhook_that_quotes_a_secret_of_ours_is_kept_without_it():
    """The one made for an endpoint that names none, too."""
    config = load_config(CONFIG, file="/etc/s.toml", environ=ENVIRON, read_file=_none)
    secrets = [secret for point in config.endpoints for secret in secrets_of(point, KEY)]
    assert len(secrets) == 2
    redact = receiving_accounts(config, KEY)["main"].redactor
    for secret in (*secrets, ENVIRON["STATUS"]):
        assert secret not in redact(f"Url=https://x.example/p/{secret}&b=1".encode()).decode()


CALLING_BACK = """
[accounts.main]
sid = "acme"
region = "mumbai"
key_env = "SALES"
token_env = "SALES"
status_secret_env = ["STATUS"]
[accounts.main.callbacks]
exophone = "+918047112233"
bot = "wss://bot.example/media"
bot_auth_file = "login"
"""


def test_a_request_of_a_callback_is_kept_without_what_exotel_was_told():
    """The address for StatusCallbacks, and the bot's with its password."""
    config = load_config(
        CALLING_BACK, file="/etc/s.toml", environ=ENVIRON, read_file=lambda _: b"bot:a-p@ssword-1"
    )
    redact = endpoints_of(settings_of(config), KEY)["default"].redactor
    raw = redact(
        b"StatusCallback=https://h.example/status/main/the-secret-of-status-1"
        b"&Other=a-p%40ssword-1&More=a-p@ssword-1"
    ).decode()
    assert "the-secret-of-status-1" not in raw
    assert "ssword-1" not in raw
    assert raw.startswith("StatusCallback=https://h.example/status/main/fp_")
