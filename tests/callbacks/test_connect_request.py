"""What Exotel is asked for a callback is what it takes, with what finds the call again."""

from __future__ import annotations

from datetime import UTC, datetime

from switchhook.callbacks.connect_request import callback_filter, connect_request
from switchhook.callbacks.promise import custom_field_of, read_custom_field
from switchhook.callbacks.settings import CallbackSettings
from switchhook.exotel.wire.call_filter import build_filter, read_filter
from switchhook.exotel.wire.connect import ConnectRequest, build_connect, read_connect
from switchhook.exotel.wire.query import parse_pairs

NUMBER = "+919811100001"
FIELD = custom_field_of("a1b2", 2)
STATUS = "https://hooks.example/status/main/a-secret"


def taken(request: ConnectRequest) -> ConnectRequest:
    """What Exotel reads."""
    read = read_connect(parse_pairs(build_connect(request, "acme"), []))
    assert isinstance(read, ConnectRequest)
    return read


def test_into_a_flow():
    settings = CallbackSettings(exophone="+918047112233", flow="77001", ring_s=25, longest_s=600)
    request = connect_request(settings, NUMBER, FIELD, status_callback=STATUS)
    assert taken(request) == ConnectRequest(
        mode="flow",
        from_=NUMBER,
        caller_id="08047112233",
        app_id="77001",
        time_limit_s=600,
        ring_s=25,
        status_callback=STATUS,
        status_events=("answered", "terminal"),
        status_json=True,
        custom_field=FIELD,
    )
    assert read_custom_field(request.custom_field) == ("a1b2", 2)


def test_straight_to_a_bot():
    settings = CallbackSettings(exophone="+6561234567", has_bot=True)
    request = connect_request(settings, NUMBER, FIELD, bot_url="wss://a:b@bot.example/media")
    assert taken(request) == ConnectRequest(
        mode="voice_ai",
        from_=NUMBER,
        caller_id="+6561234567",
        stream_url="wss://a:b@bot.example/media",
        time_limit_s=900,
        ring_s=30,
        custom_field=FIELD,
    )


def test_the_list_is_asked_for_in_indias_time():
    asked = datetime(2026, 1, 5, 23, 59, 30, 500_000, tzinfo=UTC)
    asked_ms = int(asked.timestamp() * 1000)
    wanted = callback_filter("+918047112233", NUMBER, asked_ms, asked_ms + 75_000)
    assert wanted.created_from == datetime(2026, 1, 6, 5, 27, 30)
    assert wanted.created_to == datetime(2026, 1, 6, 5, 32, 45)
    assert (wanted.from_, wanted.phone_number) == (NUMBER, "+918047112233")
    assert wanted.direction == "outbound-api"
    assert read_filter(parse_pairs(build_filter(wanted), [])) == wanted
