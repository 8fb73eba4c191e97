"""Which passwords may be chosen, and what is said of those that may not."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switchhook.access.password_policy import (
    LONGEST_PASSWORD,
    SHORTEST_PASSWORD,
    normal_password,
    password_problem,
)

CONTEXT = ("voice.example.com:8081",)


@pytest.mark.parametrize(
    "password",
    [
        "seven green parrots",
        "eleven purple teacups",
        "my password is a poem about rain",
        "சென்னை காலை மழை பெய்தது",
        "正确的马电池钉书针还有一些别的词语",
        "kR7#vPq2!xLm9zTb",
        "correct horse battery staple" * 36,
        "               x 7 blue tigers",
        "🐘🦜🐢🦊🐙🦉🐝🦀🐌🦋🐞🦗🕷🦂🐊",
    ],
)
def test_passwords_that_can_be(password):
    """Any script, blanks, no rules of composition: what counts is how soon it is guessed."""
    assert password_problem(password, "asha.k@example.com", CONTEXT) is None


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("x" * 14, "at least 15"),
        ("", "at least 15"),
        ("x" * 1_025, "at most 1,024"),
        # Repeats and runs.
        ("aaaaaaaaaaaaaaaa", "repeats itself"),
        ("abababababababab", "repeats itself"),
        ("passwordpassword", "repeats itself"),
        ("Summer2024Summer2024", "repeats itself"),
        ("monkey123monkey123", "repeats itself"),
        ("a" * 40 + "kR7#vPq2!xLm9zTb", "repeats itself"),  # only the beginning is looked at
        ("abcdefghijklmnop", "counts up or down"),
        ("9876543210987654", "counts up or down"),
        # Keyboard walks.
        ("qwertyuiop123456", "most common passwords"),
        ("1qaz2wsx3edc4rfv", "most common passwords"),
        ("qwertyuiopasdfghjkl", "guessed too soon"),
        ("zxcvbnm,./asdfghjkl", "guessed too soon"),
        # Common ones with something around them, and as people disguise them.
        ("Password123456789", "most common passwords"),
        ("P@ssw0rd12345678", "guessed too soon"),
        ("letmeinletmein12", "guessed too soon"),
        ("iloveyou20242024", "guessed too soon"),
        # The user, the product, the host.
        ("asha.k@example.com", "made of your name"),
        ("asha.k@example.com2024", "made of your name"),
        ("switchhookswitchhook", "repeats itself"),
        ("Switchhook2026!!", "made of your name"),
        ("admin@switchhook", "made of your name"),
        ("voice.example.com1", "made of your name"),
        ("exotelpassthru1", "made of your name"),
    ],
)
def test_passwords_that_can_not_be(password, said):
    """What anybody tries first is refused, and the message says why."""
    problem = password_problem(password, "asha.k@example.com", CONTEXT)
    assert problem is not None
    assert said in problem


def test_nothing_was_forgotten_of_the_password_before():
    """Each is judged with its own user's name alone."""
    assert password_problem("meenakshi sundaram 11", "meenakshi sundaram") is not None
    assert password_problem("meenakshi sundaram 11", "asha") is None


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=LONGEST_PASSWORD + 10), st.text(max_size=128))
def test_any_text_is_judged(password, name):
    """Nothing makes it fail, and the length counts as what is hashed is long."""
    problem = password_problem(password, name)
    if len(normal_password(password)) < SHORTEST_PASSWORD:
        assert problem is not None
        assert "at least" in problem


def test_one_password_on_two_keyboards():
    """An é may be one character or two."""
    assert normal_password("e\u0301") == normal_password("\u00e9")
