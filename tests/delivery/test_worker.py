"""The worker, at real destinations: each gets its messages whatever the others do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from delivery.destinations import DIE, HANG, LIMIT_S, posting, serving
from delivery.test_delivery import LEASE_MS, delivery
from delivery.test_ledger import Queue
from switchhook.delivery.delivery import DeliveryState, SendResult
from switchhook.delivery.outbox import Outbox
from switchhook.delivery.worker import Worker
from switchhook.server.tables import open_ledger


class Post(Queue):
    """A queue, its workers, and destinations by name; the clock stands until it is moved."""

    def __init__(self, ledger):
        super().__init__(ledger)
        self.now_ms = 0
        self.addresses = {}
        self.workers = []
        self.closing = contextlib.ExitStack()

    def destination(self, name):
        found = self.closing.enter_context(serving())
        self.addresses[name] = found.url
        return found

    def worker(self, send=None, **more):
        worker = Worker(
            Outbox(self.table),
            send or posting(self.addresses),
            now_ms=lambda: self.now_ms,
            chance=lambda: 0.5,
            **more,
        )
        self.workers.append(worker)
        return worker

    def state(self, key="1", destination="ops"):
        (found,) = (each for each in self.all() if each.id[1:] == (key, destination))
        return found.state, found.attempts, found.problem

    def close(self):
        self.closing.close()  # which lets go of who hangs
        for worker in self.workers:
            worker.stop(LIMIT_S)
        self.ledger.close()


def settle(worker, but=()):
    """Send all that is due and comes back."""
    begun = 1
    while begun:
        with worker.idle:
            assert worker.idle.wait_for(lambda: not worker._sending.keys() - set(but), LIMIT_S)
        begun = worker.step()


@pytest.fixture
def post(ledger, monkeypatch):
    monkeypatch.setattr("switchhook.delivery.worker.EVERY_S", 0.02)
    post = Post(ledger)
    yield post
    post.close()


COMPLETED, RETRYABLE = DeliveryState.COMPLETED, DeliveryState.RETRYABLE


def test_a_message_arrives_once_at_each_destination(post):
    ops, chat = post.destination("ops"), post.destination("chat")
    post.add(delivery("1"), delivery("2", created_ms=1), delivery("1", "chat"))
    settle(post.worker())
    post.now_ms = 10**6
    settle(post.worker())
    assert (ops.got, chat.got) == (["1", "2"], ["1"])
    assert {each.state for each in post.all()} == {COMPLETED}


def test_a_slow_destination_gets_one_at_a_time_and_holds_up_no_other(post):
    slow, fast = post.destination("slow"), post.destination("ops")
    slow.answers = [HANG]
    post.add(*(delivery(f"{n}", name) for name in ("ops", "slow") for n in range(3)))
    worker = post.worker()
    settle(worker, but=["slow"])
    assert (fast.got, slow.wait(1)) == (["0", "1", "2"], ["0"])
    slow.let_go()
    settle(worker)
    assert slow.got == ["0", "1", "2"]


def test_a_destination_that_refuses_gets_it_when_it_is_back(post):
    with serving() as gone:
        post.addresses["ops"] = gone.url
    post.add(delivery())
    worker = post.worker()
    settle(worker)
    assert post.state() == (RETRYABLE, 1, "ConnectError")
    post.now_ms = 4_999
    settle(worker)
    assert post.state() == (RETRYABLE, 1, "ConnectError")
    back = post.closing.enter_context(serving(gone.port))
    post.now_ms = 5_000
    settle(worker)
    assert post.state() == (COMPLETED, 2, "")
    assert back.got == ["1"]


def test_one_that_hangs_is_said_to_and_what_it_took_after_all_is_not_sent_again(post, caplog):
    ops = post.destination("ops")
    ops.answers = [HANG]
    post.add(delivery("1"), delivery("2", created_ms=1))
    worker = post.worker()
    worker.step()
    ops.wait(1)
    post.now_ms = LEASE_MS
    for _ in range(3):
        worker.step()
    assert post.state() == (RETRYABLE, 1, "no answer within 60 s")
    assert [each.getMessage() for each in caplog.records] == [
        "k to ops was not sent: no answer within 60 s"
    ]
    ops.let_go()
    with worker.idle:
        assert worker.idle.wait_for(lambda: not worker._sending, LIMIT_S)
    assert post.state() == (COMPLETED, 1, "")
    post.now_ms = 10**6
    settle(worker)
    assert ops.got == ["1", "2"]


def test_one_that_asks_for_it_is_left_alone(post):
    busy, fine = post.destination("ops"), post.destination("chat")
    busy.answers, busy.retry_after = [429], "120"
    post.add(delivery("1"), delivery("2", created_ms=1), delivery("1", "chat"))
    worker = post.worker()
    settle(worker)
    assert post.state() == (RETRYABLE, 1, "it answered 429")
    post.now_ms = 119_999
    post.add(delivery("2", "chat", created_ms=1))
    settle(worker)
    assert (busy.got, fine.got) == (["1"], ["1", "2"])
    post.now_ms = 120_000
    settle(worker)
    assert busy.got == ["1", "1", "2"]


def test_one_that_dies_while_it_answers_gets_it_again_by_the_same_key(post):
    ops = post.destination("ops")
    ops.answers = [DIE, 503]
    post.add(delivery())
    worker = post.worker()
    settle(worker)
    assert post.state() == (RETRYABLE, 1, "RemoteProtocolError")
    post.now_ms = 5_000
    settle(worker)
    assert post.state() == (RETRYABLE, 2, "it answered 503")
    post.now_ms = 25_000
    settle(worker)
    assert post.state() == (COMPLETED, 3, "")
    assert ops.got == ["1", "1", "1"]


def test_so_many_at_once_and_everybody_has_a_turn(post):
    names = [f"d{n}" for n in range(5)]
    found = {name: post.destination(name) for name in names}
    for each in found.values():
        each.answers = [HANG]
    # Who has much to get is first by age, and waits for its turn all the same.
    post.add(*(delivery(f"{n}", "d0") for n in range(5)))
    post.add(*(delivery("1", name, created_ms=9) for name in names[1:]))
    worker = post.worker(most_at_once=2)
    assert worker.step() == 2
    assert worker.step() == 0
    assert len(worker._sending) == 2
    for each in found.values():
        each.let_go()
    order = []
    while any(not each.final for each in post.all()):
        with worker.idle:
            assert worker.idle.wait_for(lambda: not worker._sending, LIMIT_S)
        worker.step()
        order.append(sorted(worker._turns, key=worker._turns.get)[-2:])
    assert order[:2] == [["d2", "d3"], ["d4", "d0"]]
    assert all(each.got for each in found.values())


def test_those_that_hang_for_ever_take_nobodys_turn(post):
    for name in ("a", "b"):
        post.destination(name).answers = [HANG]
    ops = post.destination("ops")
    post.add(delivery("1", "a"), delivery("1", "b"), delivery())
    worker = post.worker(most_at_once=2)
    assert worker.step() == 2
    assert ops.got == []
    post.now_ms = LEASE_MS
    settle(worker, but=["a", "b"])
    assert ops.got == ["1"]


def test_what_is_not_wanted_any_more_is_not_sent(post):
    ops = post.destination("ops")
    ops.answers = [503]
    post.add(delivery("1"))
    over = []
    worker = post.worker(ended=lambda each: "it is over" if each.key in over else "")
    settle(worker)
    over.append("1")
    post.now_ms = 5_000
    settle(worker)
    assert post.state() == (DeliveryState.CANCELLED, 2, "it is over")
    assert ops.got == ["1"]


def test_what_a_sender_raises_is_said_without_its_text(post, caplog):
    def send(_):
        raise RuntimeError("slack://secret")

    post.add(delivery())
    settle(post.worker(send))
    assert post.state() == (RETRYABLE, 1, "sending failed with RuntimeError")
    assert "secret" not in caplog.text


def test_two_workers_send_each_message_once(post):
    names = ["a", "b", "c"]
    found = {name: post.destination(name) for name in names}
    post.add(*(delivery(f"{n}", name, created_ms=n) for name in names for n in range(10)))
    workers = [post.worker(), post.worker()]
    for worker in workers:
        worker.start()
        worker.wake()
    for each in found.values():
        assert each.wait(10) == [f"{n}" for n in range(10)]
    for worker in workers:
        worker.stop()
    assert [len(each.got) for each in found.values()] == [10, 10, 10]
    assert {each.state for each in post.all()} == {COMPLETED}


def test_it_runs_in_a_thread_and_ends(post):
    ops = post.destination("ops")
    worker = post.worker()
    worker.start()
    post.add(delivery())
    worker.wake()
    ops.wait(1)
    worker.stop()
    assert not worker._repeating.runs
    assert not worker._sending
    assert post.state() == (COMPLETED, 1, "")
    post.add(delivery("2"))
    assert worker.step() == 0


def test_what_goes_on_at_the_stop_is_sent_again_after_its_lease(post):
    """Who comes back after the stop has no say: the ledger may be closed by then."""
    ops = post.destination("ops")
    ops.answers = [HANG]
    post.add(delivery())
    first = post.worker()
    first.step()
    ops.wait(1)
    first.stop(timeout_s=0.01)
    ops.let_go()
    with first.idle:
        assert first.idle.wait_for(lambda: not first._sending, LIMIT_S)
    assert post.state() == (DeliveryState.EXECUTING, 1, "")
    second = post.worker()
    post.now_ms = LEASE_MS - 1
    settle(second)
    assert ops.got == ["1"]
    post.now_ms = LEASE_MS
    settle(second)
    assert ops.got == ["1", "1"]
    assert post.state() == (COMPLETED, 2, "")


def test_a_worker_that_comes_back_late_overwrites_nothing(post):
    gate, began = threading.Event(), threading.Event()

    def hang(_):
        began.set()
        assert gate.wait(LIMIT_S)
        return SendResult("too late")

    ops = post.destination("ops")
    post.add(delivery())
    late, other = post.worker(hang), post.worker()
    late.step()
    assert began.wait(LIMIT_S)
    post.now_ms = LEASE_MS
    settle(other)
    gate.set()
    with late.idle:
        assert late.idle.wait_for(lambda: not late._sending, LIMIT_S)
    assert post.state() == (COMPLETED, 2, "")
    assert ops.got == ["1"]


KILLED = """
import sys, threading
from pathlib import Path
from delivery.destinations import posting
from delivery.test_worker import Post
from switchhook.server.tables import open_ledger
post = Post(open_ledger(Path(sys.argv[1])))
post.addresses["ops"] = sys.argv[2]
post.worker().step()
threading.Event().wait()
"""


@pytest.mark.process
def test_what_was_being_sent_when_the_process_was_killed_is_sent_again(tmp_path):
    with contextlib.closing(Post(open_ledger(tmp_path))) as post:
        ops = post.destination("ops")
        ops.answers = [HANG]
        post.add(delivery())
        killed = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path), ops.url],
            cwd=Path(__file__).parent.parent,
        )
        try:
            ops.wait(1)
        finally:
            killed.kill()
            killed.wait()
        assert post.state() == (DeliveryState.EXECUTING, 1, "")
        worker = post.worker()
        settle(worker)
        assert ops.got == ["1"]
        post.now_ms = LEASE_MS
        settle(worker)
        assert ops.got == ["1", "1"]
        assert post.state() == (COMPLETED, 2, "")
