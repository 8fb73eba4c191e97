"""Each kind of destination can tell that a message came again, by the id of its delivery."""

from __future__ import annotations

import socketserver
import threading
from contextlib import contextmanager
from email import message_from_bytes

import apprise
import msgspec
import pytest

from alerts.notify.test_text import message
from switchhook.alerts.notify import AppriseNotifier
from switchhook.alerts.notify.repeats import Repeats
from webhook import receiving

ID, OTHER = "0011223344556677", "8899aabbccddeeff"


def said(id):
    return msgspec.structs.replace(message(), id=id)


def sent(address, *ids):
    """Send messages of these ids to an address by one notifier."""
    notifier = AppriseNotifier({"ops": lambda: address})
    for id in ids:
        assert notifier.send("ops", said(id)) is None


def test_a_webhook_has_it_as_a_header():
    with receiving() as receiver:
        sent(f"json://127.0.0.1:{receiver.port}/x", ID, OTHER, ID)
        assert [each.id for each in receiver.wait(3)] == [ID, OTHER, ID]
        assert f"message {ID}" in str(receiver.got[0].body["message"])


def test_a_header_of_the_operators_own_stays():
    with receiving() as receiver:
        sent(f"json://127.0.0.1:{receiver.port}/x?+webhook-id=mine", ID)
        assert [each.id for each in receiver.wait(1)] == ["mine"]


@contextmanager
def post_office():
    """A mail server on this machine; gives its port, and the mails that came."""
    mails: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 here\r\n")
            while line := self.rfile.readline():
                if line.strip().upper() == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    mails.append(b"".join(lines))
                self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 well\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1], mails
        finally:
            server.shutdown()
            thread.join()


def test_a_mail_has_it_as_its_message_id():
    with post_office() as (port, mails):
        sent(f"mailto://127.0.0.1:{port}?from=a@example.com&to=b@example.com", ID, OTHER, ID)
    ids = [message_from_bytes(each).get_all("Message-ID") for each in mails]
    assert ids == [[f"<{ID}@127.0.0.1>"], [f"<{OTHER}@127.0.0.1>"], [f"<{ID}@127.0.0.1>"]]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("pagerduty://INTEGRATIONKEY@APIKEY", "dedup"),
        ("opsgenie://a1b2c3d4-a1b2-a1b2-a1b2-a1b2c3d4e5f6", "alias"),
        ("ilert://il1api0123456789abcdef0123456789abcdef", "dedup"),
        ("squadcast://" + "a" * 40, "dedup"),
        ("signl4://" + "abcd1234", "external_id"),
        ("pagertree://int_a1b2c3d4e5", "thirdparty"),
    ],
)
def test_a_pager_has_it_as_its_key(address, key):
    """What apprise then sends of it is apprise's own to test."""
    services = apprise.Apprise(address)
    assert len(services) == 1, address
    repeats, (service,) = Repeats(services), services
    for id in (ID, OTHER):
        with repeats.told_by(id):
            assert getattr(service, key) == id


def test_a_key_of_the_operators_own_stays():
    (service,) = apprise.Apprise("pagerduty://INTEGRATIONKEY@APIKEY?dedup=mine")
    with Repeats([service]).told_by(ID):
        assert vars(service)["dedup"] == "mine"


def test_what_a_pager_is_sent_has_it(monkeypatch):
    """One whole, to the bytes that leave: PagerDuty's, which the page names first."""
    bodies = []

    class Answer:
        status_code, content = 202, b"{}"

    def post(_url, data, **_more):
        bodies.append(msgspec.json.decode(data))
        return Answer()

    monkeypatch.setattr("apprise.plugins.pagerduty.requests.post", post)
    sent("pagerduty://INTEGRATIONKEY@APIKEY", ID, ID, OTHER)
    assert [each["dedup_key"] for each in bodies] == [ID, ID, OTHER]
