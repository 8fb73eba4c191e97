"""What Exotel's heartbeats say of the accounts."""

from __future__ import annotations

import json

import pytest

from overview.test_health_metrics import HOUR, MINUTE, NOW, World
from switchhook.journal.receipt import HeartbeatReceived, RecordKind, encode
from switchhook.overview.heartbeat_metrics import HeartbeatFigures
from switchhook.overview.known_troubles import Known, known_troubles


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def beat(world, status, ago_ms, account="Main", **more):
    body = json.dumps({"timestamp": "x", "status_type": status, **more}).encode()
    received = HeartbeatReceived((NOW - ago_ms) * 1000, account, body)
    world.kept.record(RecordKind.HEARTBEAT, encode(received), at=NOW - ago_ms)


def read(world):
    world.folded()
    source = HeartbeatFigures(world.store, world.kept.reader)
    figures = {dict(each.labels)["account"]: each for each in source(NOW)}
    return figures, source.beats


def test_the_newest_counts_and_since_is_the_first_that_was_not_ok(world):
    beat(world, "CRITICAL", 9 * MINUTE)
    beat(world, "OK", 8 * MINUTE)
    beat(world, "WARNING", 7 * MINUTE)
    beat(world, "critical", 6 * MINUTE, incoming_affected=["1", "2"], outgoing_affected=["2"])
    beat(world, "OK", 5 * MINUTE, account="Other")
    figures, beats = read(world)
    assert (figures["Main"].value, figures["Main"].since_ms) == (2, NOW - 7 * MINUTE)
    assert (figures["Other"].value, figures["Other"].since_ms) == (0, None)
    (known,) = known_troubles(Known(beats=beats))
    assert known.what == "Exotel's heartbeat of account Main says CRITICAL, 2 numbers affected."


@pytest.mark.parametrize(("status", "value"), [("PAYLOAD_TOO_LARGE", 1), ("news", 1), ("OK", 0)])
def test_whatever_is_not_ok_is_worth_a_look(world, status, value):
    beat(world, status, MINUTE)
    assert read(world)[0]["Main"].value == value


def test_what_is_a_day_old_or_no_heartbeat_says_nothing(world):
    beat(world, "CRITICAL", 25 * HOUR)
    received = HeartbeatReceived(NOW * 1000, "Main", b"nonsense")
    world.kept.record(RecordKind.HEARTBEAT, encode(received), at=NOW)
    assert read(world) == ({}, ())
