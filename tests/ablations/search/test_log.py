import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ablations.records.store import Store
from ablations.search.found import read_search
from ablations.search.log import SearchLog
from ablations.study.study import Study

FOUND = Path(__file__).parents[2] / "formats" / "1" / "found"
LINES = [json.loads(line) for line in (FOUND / "search.jsonl").read_text(encoding="utf-8").splitlines()]
VALUES = LINES[1]["values"]


def written(tmp_path: Path, place: int, **changes: Any) -> tuple[Study, Store]:
    """Return a search of three proposals, all scored, one line of whose log has these changes."""
    store = Store(Path(shutil.copytree(FOUND, tmp_path / "found")))
    lines = [line | (changes if at == place else {}) for at, line in enumerate(LINES)]
    store.search.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return Study.load(store.study_file), store


def test_a_log_as_it_was_is_read_whole(tmp_path: Path) -> None:
    study, store = written(tmp_path, 0)
    log = SearchLog(store.search, study)
    assert (len(log.proposals), sorted(log.results)) == (3, [0, 1, 2])


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "0"},
        {"batch": -1},
        {"batch": 0.5},
        {"values": None},
        {"values": {}},
        {"values": VALUES | {"more": 1}},
        {"values": VALUES | {"learning_rate": "fast"}},
        {"values": VALUES | {"learning_rate": 1e9}},
        {"values": VALUES | {"learning_rate": True}},
        {"values": VALUES | {"kl_weight": [1e-4]}},
        {"values": VALUES | {"kl_weight": {"a": 1}}},
        {"epochs": 0},
        {"epochs": 10**30},
        {"parent": 7},
    ],
    ids=lambda changes: json.dumps(changes)[:50],
)
def test_a_proposal_of_another_shape_is_passed_over_and_what_follows_it(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    study, store = written(tmp_path, 1, **changes)
    assert SearchLog(store.search, study).proposals == []
    assert read_search(study, store) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"number": None},
        {"metrics": {"sse": "11"}},
        {"metrics": []},
        {"metrics": {"mse": 0.1}},
        {"status": "dnoe"},
        {"status": ["done"]},
        {"score": "11"},
        {"trials": 5},
        {"trials": [5]},
        {"repeats": "perhaps"},
        {"reason": {}},
    ],
    ids=lambda changes: json.dumps(changes)[:50],
)
def test_a_score_of_another_shape_is_passed_over_and_no_other(tmp_path: Path, changes: dict[str, Any]) -> None:
    place = next(at for at, line in enumerate(LINES) if line["event"] == "scored")
    study, store = written(tmp_path, place, **changes)
    assert sorted(SearchLog(store.search, study).results) == [1, 2]
    search = read_search(study, store)
    assert search is not None
    assert [entry.proposal.number for entry in search.entries] == [1, 2]


def test_a_score_looks_at_no_trial_outside(tmp_path: Path) -> None:
    other = shutil.copytree(FOUND, tmp_path / "other")
    place = next(at for at, line in enumerate(LINES) if line["event"] == "scored")
    outside = [f"../../{other.name}/trials/{name}" for name in LINES[place]["trials"]]
    study, store = written(tmp_path, place, trials=outside)
    search = read_search(study, store)
    assert search is not None
    assert [bool(entry.seconds) for entry in search.entries] == [False, True, True]
