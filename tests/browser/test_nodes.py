"""The page Nodes of two nodes that run, wide and narrow, and what is done there by the keyboard."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from journeys.test_two_nodes import running
from program import command, until

from .conftest import Visit
from .test_every_page import LAYOUT
from .test_people import PASSWORD, seen, sign_in

MOST_TABS = 60


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, postgresql):
    with running(
        tmp_path_factory.mktemp("nodes"), postgresql, "[console]\nusers = true\n"
    ) as nodes:
        add = (
            "users",
            "add",
            "asha",
            "--role",
            "administrator",
            "--data",
            str(nodes.nodes[0].data),
        )
        command(*add, typed=PASSWORD)
        yield nodes


def row_of(page, name):
    return page.locator("tbody tr").filter(has=page.locator("th").get_by_text(name, exact=False))


def tab_to(page, wanted):
    """Press the tabulator until something has the focus, and is seen."""
    wanted.wait_for()
    for _ in range(MOST_TABS):
        if wanted.evaluate("e => e === document.activeElement"):
            expect(wanted).to_be_in_viewport()
            return
        page.keyboard.press("Tab")
    pytest.fail(f"no key leads to {wanted}")


def change(page, name, button):
    """Press a button of a node with nothing but the keyboard."""
    row = row_of(page, name)
    tab_to(page, row.locator("summary"))
    page.keyboard.press("Enter")
    tab_to(page, row.get_by_role("button", name=button))
    page.keyboard.press("Enter")


@pytest.mark.parametrize("width", [1280, 390])
def test_both_nodes_are_shown_and_one_is_drained_by_the_keyboard(chromium, cluster, width):
    leader = until(cluster.leader, "a leader")
    until(leader.shows_both, "its pages have both")
    other = cluster.other(leader)
    for node in cluster.nodes:
        assert node.ask(f"{node.name}-{width}") == 200
    visit = Visit(chromium, f"http://127.0.0.1:{leader.port}", width)
    page = visit.page
    sign_in(page, visit.address)
    expect(page.locator("#verdict")).to_be_visible()
    page.goto(f"{visit.address}/nodes")
    expect(page.locator("#leader")).to_have_text(f"{leader.name} leads")
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(row_of(page, leader.name).locator("th")).to_contain_text("leads")
    expect(row_of(page, other.name).locator("th")).not_to_contain_text("leads")
    for node in cluster.nodes:
        row = row_of(page, node.name)
        expect(row.locator("th")).to_contain_text("there")
        expect(row.locator("td[data-label='not handed over']")).to_have_text("0")
    seen(page, "nodes", width)
    assert page.evaluate(LAYOUT) == []

    change(page, other.name, "Drain it")
    expect(row_of(page, other.name).locator("th")).to_contain_text("drained")
    tab_to(page, row_of(page, other.name).locator("summary"))
    page.keyboard.press("Enter")
    expect(row_of(page, other.name).get_by_role("button", name="Take it back")).to_be_visible()
    seen(page, "nodes-unfolded", width)
    assert page.evaluate(LAYOUT) == []
    page.keyboard.press("Enter")
    change(page, other.name, "Take it back")
    expect(row_of(page, other.name).locator("th")).not_to_contain_text("drained")
    assert visit.troubles == []
    visit.close()
