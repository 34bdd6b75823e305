"""Foreign text on a screen does nothing but stand there."""

import unicodedata
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amicopy.core.errors import CopyFailed
from amicopy.render.text import columns, counted, duration, error_lines, safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("one\r\ntwo\tthree", "one\\x0d\\x0atwo\\x09three"),
        ("nul\x00del\x7f", "nul\\x00del\\x7f"),
        ("exe.\u202etxt", "exe.\\u202etxt"),
        ("\u2066isolated\u2069 \u200fmark", "\\u2066isolated\\u2069 \\u200fmark"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("half\ud800", "half\\ud800"),
        ("tag ##[set-env name=x]", "tag \\x23#[set-env name=x]"),
        ("##vso[task.x]", "\\x23#vso[task.x]"),
        ("tag\U000e0041", "tag\\U000e0041"),
    ],
)
def test_what_moves_a_cursor_or_turns_the_text_is_shown_as_its_code(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize("text", ["", "web 1.0", "[red]web[/red]", "Größe 表 😀 é", "C:\\temp\\x1b"])
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert safe(text) == text


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_no_text_that_can_be_printed_is_changed(text: str) -> None:
    assert safe(text) == text


@given(st.text(alphabet=st.characters(codec=None)))
def test_whatever_comes_in_what_goes_out_can_be_printed(text: str) -> None:
    # Spaces other than the common one are not "printable" to Python, and harmless.
    assert all(char.isprintable() or unicodedata.category(char) == "Zs" for char in safe(text))


@given(st.text(alphabet=st.characters(codec=None)))
def test_safe_text_is_safe_already(text: str) -> None:
    assert safe(safe(text)) == safe(text)


def test_an_error_is_three_lines_each_of_them_safe() -> None:
    error = CopyFailed("The copy \x1b[1m failed.", why="EC2 says\nno.", next_step="Run it\u202e again.")
    assert error_lines(error) == [
        "error: The copy \\x1b[1m failed. [copy-failed]",
        "  why    EC2 says\\x0ano.",
        "  next   Run it\\u202e again.",
    ]


def test_an_error_without_reason_or_advice_is_one_line() -> None:
    assert error_lines(CopyFailed("It failed."), label="refused") == ["refused: It failed. [copy-failed]"]


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=47.4), "47 s"),
        (timedelta(seconds=59.6), "1 min 00 s"),
        (timedelta(minutes=12, seconds=5), "12 min 05 s"),
        (timedelta(seconds=3599.6), "1 h 00 min"),
        (timedelta(hours=3, minutes=7, seconds=59), "3 h 07 min"),
        (timedelta(hours=48), "48 h 00 min"),
    ],
)
def test_durations_are_said_as_people_say_them(length: timedelta, words: str) -> None:
    assert duration(length) == words


def test_counts_have_their_plural() -> None:
    assert counted(1, "copy", "copies") == "1 copy"
    assert [counted(number, "region") for number in (0, 1, 2)] == ["0 regions", "1 region", "2 regions"]


def test_columns_are_aligned_without_trailing_spaces() -> None:
    assert list(columns([["a", "long", "x"], ["wide", "b", ""]])) == ["a     long  x", "wide  b"]
    assert list(columns([])) == []
