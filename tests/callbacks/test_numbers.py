"""Who may be dialled: a person's whole number, and in words why not another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchhook.callbacks.numbers import (
    UndialableNumber,
    dialable,
    exophone_problem,
    undialable,
)

OWN = frozenset({"+918047112233"})


@pytest.mark.parametrize(
    "number", ["+919811100001", "+919000000031", "+911130001234", "+6591234567", "+14155550100"]
)
def test_a_persons_number_may_be_dialled(number):
    assert undialable(number, OWN) == ""


@pytest.mark.parametrize(
    "number, problem",
    [
        ("", "it is no whole telephone number"),
        ("9811100001", "it is no whole telephone number"),
        ("+91981110000x", "it is no whole telephone number"),
        ("+91", "it is no whole telephone number"),
        ("+918047112233", "it is an ExoPhone of yours"),
        ("+999811100001", "no country has numbers that begin like it"),
        ("+910000000000", "its country has no such number"),
        ("+9198111000", "its country has no such number"),
        ("+911800111222", "it is a toll-free number of a company"),
        ("+911400012345", "it is a number that companies call from"),
        ("+911600012345", "it is a number that companies call from"),
        ("+881612345678", "it is a satellite's or a service's number, of no country"),
        ("+80012345678", "it is a satellite's or a service's number, of no country"),
        ("+449098790000", "it is a premium-rate number"),
        ("+19002345678", "it is a premium-rate number"),
        ("+9118603451234", "it is a shared-cost number"),
    ],
)
def test_another_number_is_refused_in_words(number, problem):
    assert undialable(number, OWN) == problem


@pytest.mark.parametrize(
    "number, problem",
    [
        ("+91112", "it is an emergency number"),
        ("+1911", "it is an emergency number"),
        ("+911066", "it is a short number of a service"),
        ("+91155260", "it is a short number of a service"),
        ("+61112000", "its country has no such number"),
        ("+420112112", "its country has no such number"),
    ],
)
def test_emergency_and_short_numbers_are_named(number, problem):
    assert undialable(number) == problem


@pytest.mark.parametrize(
    "text, region, number",
    [
        ("+919811100001", "IN", "+919811100001"),
        ("09811100001", "IN", "+919811100001"),
        ("98111 00001", "IN", "+919811100001"),
        ("tel:+91-98111-00001", "IN", "+919811100001"),
        ("9123 4567", "SG", "+6591234567"),
    ],
)
def test_a_number_as_people_write_it(text, region, number):
    assert dialable(text, region) == number


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "it is no whole telephone number"),
        ("Anonymous", "it is no whole telephone number"),
        ("112", "it is no whole telephone number"),
        ("9.811100001E+09", "a sheet has rounded this number"),
        ("98xxxxxx01", "this number is masked"),
        ("080 4711 2233", "it is an ExoPhone of yours"),
        ("1800 111 222", "it is a toll-free number of a company"),
    ],
)
def test_a_text_that_nobody_can_be_called_by(text, problem):
    found = dialable(text, "IN", OWN)
    assert isinstance(found, UndialableNumber)
    assert problem in found.problem


@given(st.text(max_size=40))
def test_what_may_be_dialled_is_a_whole_number_and_no_problem_repeats_one(text):
    found = dialable(text, "IN")
    if isinstance(found, str):
        assert undialable(found) == ""
    else:
        assert not [digits for digits in found.problem.split() if digits.isdigit()]


@pytest.mark.parametrize(
    "number, problem",
    [
        ("+918047112233", ""),
        ("+911400012345", ""),
        ("+911600012345", ""),
        ("+6561234567", ""),
        ("08047112233", "it is no whole telephone number"),
        ("+999811100001", "no country has numbers that begin like it"),
        ("+910000000000", "its country has no such number"),
        ("+911800111222", "it is a toll-free number, which calls nobody"),
    ],
)
def test_an_exophone_may_be_a_companys(number, problem):
    assert exophone_problem(number) == problem
