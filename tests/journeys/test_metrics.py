"""Both programs' metrics, from a request on the public port to a scrape of the private one."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from program import http, running, until


def scrape(program) -> dict[tuple[str, str], float]:
    """Each sample by its name and its label `cause`."""
    reply = http(program.address("console"), b"/metrics", headers=program.by_link)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, sample.labels.get("cause", "")): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def test_what_is_asked_is_counted_and_counted_on_after_a_restart(tmp_path):
    def asked(program, tag: str) -> dict[tuple[str, str], float]:
        for number in range(3):
            sid = f"{tag}{number}"
            query = f"CallSid={sid}&Stream[StreamSID]=s{sid}&Stream[Status]=completed"
            assert program.ask(f"{query}&Stream[DisconnectedBy]=bot").status == 200

        def counted() -> dict[tuple[str, str], float] | None:
            found = scrape(program)
            wanted = found.get(("switchhook_answers_total", ""), 0) >= before + 3
            return found if wanted else None

        return until(counted, "the answers in the metrics")

    before = 0
    with running(tmp_path / "data") as program:
        first = asked(program, "a")
        assert program.ask(path="/metrics").status == 404
    assert first["switchhook_streams_total", "bot_done"] == 3
    assert first["switchhook_answer_duration_seconds_count", ""] == 3
    assert first["switchhook_answer_process_resident_memory_bytes", ""] > 0
    assert first["process_resident_memory_bytes", ""] > 0
    before = 3
    with running(tmp_path / "data") as program:
        second = asked(program, "b")
    assert second["switchhook_answers_total", ""] == 6
    assert second["switchhook_streams_total", "bot_done"] == 6
