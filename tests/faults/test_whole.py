"""The page of faults is whole: a row for every test, a test for every row. It is looked at last, once written anew."""

import os

import pytest
from catalogue import PAGE, REMEDY, WRITE, compare, declared, page, read, write


def test_the_page_has_a_row_for_each_test_and_no_other() -> None:
    assert len(declared()) >= 24
    if os.environ.get(WRITE):
        write(read())
    assert set(read()) == set(declared()), REMEDY
    assert PAGE.read_text(encoding="utf-8") == page(read()), REMEDY


def test_a_row_of_no_test_is_left_out_and_a_test_of_no_row_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = read()
    assert page(rows | {("input", "of no test"): "| of no test | `x` | 0 | - |"}) == page(rows)
    monkeypatch.delenv(WRITE, raising=False)
    for what in ("of no row", next(what for part, what in rows if part == "input")):
        with pytest.raises(AssertionError, match=r"but this was seen:\n.*`another message`.*\n.*write it anew"):
            compare("input", what, 2, "another message", "nothing")
