"""Messages arrive at a real webhook, or it is said why not, without a word of the address."""

from __future__ import annotations

import logging
import subprocess
import sys

import msgspec
import pytest

from alerts.notify.test_text import message
from switchhook.alerts.message import MessageKind
from switchhook.alerts.notify import AppriseNotifier
from webhook import receiving

SECRET = "T0ps3cretPath"


def notifier(receiver, path=f"/hook/{SECRET}"):
    address = f"json://anna:hunter2hunter2@127.0.0.1:{receiver.port}{path}"
    return AppriseNotifier({"ops": lambda: address}, url="https://console.example")


@pytest.mark.parametrize(
    ("say", "kind"),
    [
        (MessageKind.FIRST, "failure"),
        (MessageKind.WORSE, "failure"),
        (MessageKind.RESOLVED, "success"),
    ],
)
def test_a_message_arrives(say, kind):
    with receiving() as receiver:
        said = msgspec.structs.replace(message(), say=say)
        assert notifier(receiver).send("ops", said) is None
        (got,) = receiver.wait(1)
    assert got.path == f"/hook/{SECRET}"
    assert got.body["type"] == kind
    assert "A bot is down (bot.example.com)" in str(got.body["title"])
    assert str(got.body["message"]).endswith("https://console.example/alerts")


def test_what_is_refused_is_said_without_the_address(caplog):
    with caplog.at_level(logging.DEBUG), receiving(status=500) as receiver:
        problem = notifier(receiver).send("ops", message())
        assert problem is not None
        assert "500" in problem
    with caplog.at_level(logging.DEBUG):
        gone = notifier(receiver).send("ops", message())
    assert gone is not None
    assert "onnection" in gone
    for said in (problem, gone, caplog.text):
        assert SECRET not in said
        assert "hunter2" not in said


def test_an_address_that_is_none_is_said():
    problem = AppriseNotifier({"ops": lambda: f"nonsense://{SECRET}"}).send("ops", message())
    assert problem is not None
    assert "apprise can't use its address" in problem
    assert SECRET not in problem
    assert "no destination" in (AppriseNotifier({}).send("x", message()) or "")


@pytest.mark.process
def test_apprise_is_loaded_by_the_first_message_only():
    code = (
        "import sys, switchhook.alerts.notify;"
        " print('apprise' in sys.modules, 'httpx2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
