"""The pages of promises in a browser: they renew themselves, and every press does what it says."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .conftest import Visit
from .tour import sign_in
from .whole import ASHA, MEENA, RAVI

TAMIL = "தமிழ் சேவை"


@pytest.fixture
def visit(chromium, console):
    def of(name: str) -> Visit:
        visit = Visit(chromium, console.address)
        sign_in(visit.page, console.address, name)
        visit.page.wait_for_url(f"{console.address}/")
        return visit

    return of


def make(page, number: str, reason: str) -> None:
    page.locator("#make-account").select_option(TAMIL)
    page.locator("#make-number").fill(number)
    page.locator("#make-reason").fill(reason)
    page.get_by_role("button", name="Promise it").click()


def test_who_looks_sees_what_others_do_without_loading_anew(visit):
    looking, acting = visit(RAVI).go("/promises"), visit(MEENA).go("/promises")
    looking.wait_for_selector("body[data-live='on']")
    make(acting, "098765 00091", "asked by mail")
    expect(acting.locator("[role=status].card")).to_contain_text("Promised: it is number")
    expect(looking.locator("#promise-list")).to_contain_text("asked by mail")
    assert "98765" not in looking.content()
    assert not looking.locator("form[action^='/promises/']").count()


def test_what_one_fills_in_stays_while_the_page_renews_itself(visit):
    filling, acting = visit(MEENA).go("/promises"), visit(ASHA).go("/promises")
    filling.wait_for_selector("body[data-live='on']")
    filling.locator("#make-reason").fill("half a sent")
    make(acting, "098765 00092", "asked by chat")
    expect(filling.locator("#promise-list")).to_contain_text("asked by chat")
    expect(filling.locator("#make-reason")).to_have_value("half a sent")


def test_a_filter_says_how_many_each_press_meets_and_the_press_meets_them(visit):
    page = visit(MEENA).go("/promises")
    page.locator("summary", has_text="Filter").click()
    page.locator("#f-class").fill("gold")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("#matched")).to_have_text("3 promises")
    page.locator("summary", has_text="Do something with all 3").click()
    page.locator("#act-why").fill("they are on strike")
    page.get_by_role("button", name="Hold back 3").click()
    expect(page.locator("[role=status].card")).to_have_text("Hold back: done to 3 of 3")
    expect(page.locator("#promise-list .chip", has_text="paused")).to_have_count(3)
    page.locator("#promise-list tbody a").first.click()
    expect(page.locator("#standing")).to_contain_text("paused")
    page.locator("summary", has_text="Go on with").click()
    page.locator("#why-resume").fill("it is over")
    page.get_by_role("button", name="Go on with").click()
    expect(page.locator("#standing")).to_contain_text("open")


def test_one_press_stops_all_dialling_and_only_an_administrator_allows_it_again(visit):
    page = visit(MEENA).go("/promises")
    page.get_by_role("button", name="Stop all dialling").click()
    expect(page.locator("[role=status].card")).to_contain_text("all accounts is stopped")
    expect(page.locator(".chip", has_text="stopped")).to_have_count(2)
    assert not page.locator("summary", has_text="Allow dialling").count()
    page = visit(ASHA).go("/promises")
    page.locator("summary", has_text="Allow dialling").last.click()
    page.locator("#account-2-why").fill("the flow is mended")
    page.get_by_role("button", name="Allow dialling").last.click()
    expect(page.locator("[role=status].card")).to_contain_text(f"{TAMIL} dials from now on")
    expect(page.locator("#promise-switches")).to_contain_text(f"allowed by {ASHA}")


def test_now_says_what_was_kept_in_time_and_leads_there(visit):
    page = visit(RAVI).go("/")
    card = page.locator(".now-kept")
    expect(card).to_contain_text("Kept in time")
    expect(card.locator(".figure")).to_contain_text("%")
    card.get_by_role("link").click()
    expect(page.get_by_role("heading", name="Promises", exact=True)).to_be_visible()
