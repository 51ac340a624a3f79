import json
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


START = {"event": "start", "trial": "a", "host": "h", "pid": 1, "at": "2026-01-01T00:00:00+00:00"}
END = {"event": "end", "trial": "a", "status": "done", "reason": None, "at": "2026-01-01T00:00:01+00:00"}


@pytest.mark.parametrize(
    "wrong",
    [
        START | {"pid": "x"},
        START | {"trial": ["a"]},
        START | {"at": "yesterday"},
        {"event": "start", "trial": "a"},
        END | {"status": 3},
        {"event": "run", "workers": {}},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_a_line_of_another_shape_is_told_and_takes_no_other_along(tmp_path: Path, wrong: dict[str, object]) -> None:
    ledger = Ledger(tmp_path / "attempts.jsonl")
    more = [{"event": ["x"]}, {"event": "later"}, wrong]
    ledger.path.write_text("".join(json.dumps(line) + "\n" for line in [START, *more, END]))
    (attempt,) = ledger.attempts()
    assert (attempt.trial, attempt.status) == ("a", "done")
    assert ledger.runs() == []
    (told,) = ledger.damage()
    assert told.startswith(f"{wrong['event']}: ")


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
