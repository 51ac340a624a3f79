from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablations.records.ledger import Ledger


def test_attempts_are_counted_and_told(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "attempts.jsonl")
    assert ledger.attempts() == []
    ledger.start("a")
    ledger.start("b")
    ledger.end("a", "crashed", "why")
    ledger.start("a")
    ledger.end("a", "done", None)
    told = [(one.trial, one.number, one.status, one.reason) for one in ledger.attempts()]
    assert told == [("a", 1, "crashed", "why"), ("b", 1, "interrupted", None), ("a", 2, "done", None)]


@given(cut=st.integers(1, 400), names=st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=5, unique=True))
def test_a_torn_line_takes_no_other_along(tmp_path_factory: pytest.TempPathFactory, cut: int, names: list[str]) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "attempts.jsonl")
    for name in names[:-1]:
        ledger.start(name)
    whole = ledger.path.read_bytes()
    last = len(whole.splitlines(keepends=True)[-1])
    ledger.path.write_bytes(whole[: len(whole) - min(cut, last)])
    ledger.start(names[-1])
    known = [one.trial for one in ledger.attempts()]
    assert known in ([*names[:-2], names[-1]], [*names[:-2], names[-2], names[-1]])
