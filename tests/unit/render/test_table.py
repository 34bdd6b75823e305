"""Tables fit a terminal of any width, and are one line per row and difference in a pipe."""

import re

import pytest

from amicopy.core.models import Image
from amicopy.render.table import table_lines, table_text, title_of
from amicopy.render.text import cell_width, fold, fold_aligned

COPY = "ami-0309d9dd07df8fbcc"
SOURCE = "ami-0a11ce5a3b1e00001"
MISSING = [
    "snap-06dcd79c5576dcdec (/dev/sda1) is not shared with 111122223333",
    "ami-0309d9dd07df8fbcc is not shared with 111122223333, 444455556666, "
    "arn:aws:organizations::123456789012:organization/o-exampleorgid",
]
ONE_SOURCE = ["region", "copy", "state", "missing"]
SEVERAL = ["region", "copy", "source", "state", "missing"]


def drifted(*, source: bool) -> list[list[str | list[str]]]:
    """Return two rows: one copy that lacks two things, one that lacks nothing."""
    more = [SOURCE] if source else []
    return [
        ["ap-southeast-2", COPY, *more, "available", MISSING],
        ["us-west-2", "ami-0f2139d229788b0cf", *more, "available", "-"],
    ]


@pytest.mark.parametrize("width", [60, 80, 100, 160])
@pytest.mark.parametrize("several", [False, True])
def test_no_line_is_wider_than_the_terminal_and_no_id_is_cut(width: int, *, several: bool) -> None:
    lines = list(table_lines(SEVERAL if several else ONE_SOURCE, drifted(source=several), width))
    longest_word = max(len(word) for text in MISSING for word in text.split())
    assert all(cell_width(line) <= max(width, longest_word + 6) for line in lines)
    assert all(line == line.rstrip() and line for line in lines)
    for text in (COPY, "snap-06dcd79c5576dcdec", "o-exampleorgid", "ap-southeast-2", "us-west-2"):
        assert re.search(rf"{text}\b", "\n".join(lines)), text


def test_in_a_pipe_every_difference_is_one_line_however_long() -> None:
    assert list(table_lines(ONE_SOURCE, drifted(source=False))) == [
        "REGION          COPY                   STATE      MISSING",
        f"ap-southeast-2  {COPY}  available  {MISSING[0]}",
        f"{' ' * 50}{MISSING[1]}",
        "us-west-2       ami-0f2139d229788b0cf  available  -",
    ]


def test_what_has_no_room_beside_the_ids_stands_below_them() -> None:
    assert list(table_lines(SEVERAL, drifted(source=True), 60)) == [
        "REGION          COPY                   SOURCE",
        f"ap-southeast-2  {COPY}  {SOURCE}",
        "    available  snap-06dcd79c5576dcdec (/dev/sda1) is not",
        "      shared with 111122223333",
        "    ami-0309d9dd07df8fbcc is not shared with 111122223333,",
        "      444455556666,",
        "      arn:aws:organizations::123456789012:organization/o-exampleorgid",
        f"us-west-2       ami-0f2139d229788b0cf  {SOURCE}",
        "    available",
    ]


def test_the_last_column_is_folded_between_words() -> None:
    assert list(table_lines(["region", "what"], [["us-west-2", "lacks the tags Name and Role, too"]], 36)) == [
        "REGION     WHAT",
        "us-west-2  lacks the tags Name and",
        "             Role, too",
    ]


def test_one_source_is_the_title_and_several_have_none() -> None:
    web = Image(image_id=SOURCE, region="us-east-1", name="web\x1b[1m")
    other = Image(image_id="ami-0a11ce5a3b1e00002", region="us-east-1", name="database")
    assert title_of([web, web]) == f"copies of us-east-1/{SOURCE} (web\\x1b[1m)"
    assert title_of([web, other]) == ""
    assert table_text("copies of x", ["region"], [["us-west-2"]]) == "copies of x\nREGION\nus-west-2\n"


def test_wide_characters_count_as_two() -> None:
    assert list(table_lines(["name", "state"], [["表", "done"], ["abc", "done"]])) == [
        "NAME  STATE",
        "表    done",
        "abc   done",
    ]


def test_a_line_is_folded_under_its_last_column() -> None:
    assert fold_aligned("copy  us-west-2  the copy has another name", 32) == [
        "copy  us-west-2  the copy has",
        "                 another name",
    ]
    assert fold_aligned("note: nothing of this is new to anybody", 20) == [
        "note: nothing of",
        "  this is new to",
        "  anybody",
    ]


ROW = "~  us-west-2  /images/web/latest  ami-0e040ba16cb1935ad -> ami-0f2139d229788b0cf"


@pytest.mark.parametrize(
    ("width", "folded"),
    [
        (len(ROW), [ROW]),
        (70, ["~  us-west-2  /images/web/latest  ami-0e040ba16cb1935ad ->", " " * 34 + "ami-0f2139d229788b0cf"]),
        (54, ["~  us-west-2  /images/web/latest", "    ami-0e040ba16cb1935ad -> ami-0f2139d229788b0cf"]),
        (
            40,
            [
                "~  us-west-2  /images/web/latest",
                "    ami-0e040ba16cb1935ad ->",
                "      ami-0f2139d229788b0cf",
            ],
        ),
        (
            27,
            [
                "~  us-west-2",
                "    /images/web/latest",
                "    ami-0e040ba16cb1935ad",
                "      ->",
                "      ami-0f2139d229788b0cf",
            ],
        ),
    ],
)
def test_a_row_without_room_for_its_last_column_is_cut_between_columns(width: int, folded: list[str]) -> None:
    assert fold_aligned(ROW, width) == folded


def test_columns_that_move_below_stay_beside_each_other() -> None:
    """Without the padding that they had in the table."""
    line = "retire  111122223333/us-west-2  copy       ami-0f3bb9e8935c2b84e  unshare from 444455556666"
    assert fold_aligned(line, 60) == [
        "retire  111122223333/us-west-2  copy",
        "    ami-0f3bb9e8935c2b84e  unshare from 444455556666",
    ]


def test_a_narrow_last_column_does_not_grow_long() -> None:
    row = "retire  us-west-2               copy  ami-0f3bb9e8935c2b84e"
    line = f"{row}  unshare from 444455556666, deprecate now, disable"
    assert fold_aligned(line, 80) == [
        row,
        "    unshare from 444455556666, deprecate now, disable",
    ]
    assert fold_aligned(line, 100) == [
        f"{row}  unshare from 444455556666, deprecate",
        "                                                             now, disable",
    ]


@pytest.mark.parametrize("width", range(1, 90))
def test_nothing_is_lost_or_too_wide(width: int) -> None:
    pieces = fold_aligned(ROW, width)
    assert " ".join(pieces).split() == ROW.split()
    assert all(len(piece) <= width or len(piece.split()) == 1 for piece in pieces)


def test_a_word_that_is_longer_than_the_line_stays_whole() -> None:
    assert fold("  next  " + "x" * 30, 20, indent=4) == ["  next", "    " + "x" * 30]
    assert fold("a b", 0, indent=4) == ["a b"]
