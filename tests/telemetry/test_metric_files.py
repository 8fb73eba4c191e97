"""The dashboard and the alert rules that are shipped name only what `/metrics` says."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from switchhook.exotel.cause import Cause
from telemetry.test_prometheus import Shelf, client_of, full, sources

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
RULES = DEPLOY / "prometheus/alerts.yaml"
DASHBOARD = DEPLOY / "grafana/dashboard.json"
ADDED_BY_PROMETHEUS = {"instance", "job"}
PROMTOOL = shutil.which("promtool")
"""Debian has it in its package `prometheus`; where it is installed it checks too."""


class Expression(NamedTuple):
    """Where an expression stands, what it says, and the labels that its texts use."""

    where: str
    text: str
    shown: frozenset[str]


def alert_rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(RULES.read_text())
    rules: list[dict[str, Any]] = [each for group in document["groups"] for each in group["rules"]]
    return rules


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[Expression]:
    for rule in alert_rules():
        texts = " ".join(rule["annotations"].values())
        shown = frozenset(re.findall(r"\$labels\.(\w+)", texts))
        yield Expression(f"alert {rule['alert']}", rule["expr"], shown)
    for panel in panels():
        for target in panel["targets"]:
            shown = frozenset(re.findall(r"\{\{ *(\w+) *\}\}", target["legendFormat"]))
            yield Expression(f"panel {panel['title']}", target["expr"], shown)


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, set[str]]:
    """Every sample's labels by its name, of a console that has something of everything."""
    import os

    given = sources(full(Shelf()), tmp_path_factory.mktemp("data"), answer_pid=os.getpid)
    found: dict[str, set[str]] = {"up": set(), "switchhook_files_refused": set()}
    for family in text_string_to_metric_families(client_of(given).get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


_SELECTOR = re.compile(r"\b((?:switchhook|process|up)[a-z_]*)\b(?:\{([^{}]*)\})?")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^()]*)\)")


@pytest.mark.parametrize("expression", [*expressions()], ids=lambda each: each.where)
def test_every_name_and_label_exists(expression, said):
    selectors = _SELECTOR.findall(_GROUPING.sub(" ", expression.text))
    assert selectors
    labels: set[str] = set()
    for name, matchers in selectors:
        assert name in said
        labels |= said[name]
        for label, _, value in _MATCHER.findall(matchers):
            assert label in said[name] | ADDED_BY_PROMETHEUS
            if label == "cause":
                assert set(value.split("|")) <= {cause.value for cause in Cause}
    for grouping in _GROUPING.findall(expression.text):
        assert {word.strip() for word in grouping.split(",")} <= labels | ADDED_BY_PROMETHEUS
    groupings = _GROUPING.findall(expression.text)
    kept = {word.strip() for grouping in groupings for word in grouping.split(",")}
    aggregated = bool(groupings) or re.match(r"(sum|min|max|histogram_quantile)\b", expression.text)
    assert expression.shown <= (kept if aggregated else labels | ADDED_BY_PROMETHEUS)


def test_reasons_in_expressions_are_ones_that_are_said(tmp_path):
    text = client_of(sources(full(Shelf()), tmp_path)).get("/metrics").text
    for expression in expressions():
        for label, _, value in _MATCHER.findall(expression.text):
            if label in ("reason", "option", "kind"):
                for each in value.split("|"):
                    assert f'{label}="{each}"' in text, expression.where


def test_alert_rules_say_what_is_wrong_and_what_to_do():
    names = [rule["alert"] for rule in alert_rules()]
    assert len(names) == len(set(names)) > 10
    for rule in alert_rules():
        assert rule["alert"].startswith("Switchhook")
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}


def test_the_dashboard_is_one_that_grafana_takes():
    board = json.loads(DASHBOARD.read_text())
    assert (board["uid"], board["title"]) == ("switchhook", "Switchhook")
    assert "id" not in board
    variables = {each["name"] for each in board["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)\}?", json.dumps(panels()))) <= variables
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["type"] in ("stat", "gauge", "timeseries")


@pytest.mark.process
def test_promtool_takes_rules_and_metrics_where_it_is_installed(tmp_path):
    if PROMTOOL is None:
        return
    subprocess.run([PROMTOOL, "check", "rules", str(RULES)], check=True)
    text = client_of(sources(full(Shelf()), tmp_path)).get("/metrics").content
    subprocess.run([PROMTOOL, "check", "metrics"], input=text, check=True)


def test_the_page_lists_every_metric_with_its_kind_and_labels(tmp_path):
    page = (DEPLOY.parent / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(switchhook_\w+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE)
    told = {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    text = client_of(sources(full(Shelf()), tmp_path)).get("/metrics").text
    found: dict[str, tuple[str, set[str]]] = {"switchhook_files_refused": ("gauge", set())}
    for family in text_string_to_metric_families(text):
        if family.name.startswith("switchhook_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels}
            found[name] = family.type, labels - {"le"}
    assert told == found
