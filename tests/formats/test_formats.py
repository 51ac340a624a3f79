"""Results that earlier versions wrote: every command finds all of their trials done."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from ablations.cli import main
from ablations.records.files import LOG_FORMAT, append, lines
from ablations.records.index import known
from ablations.records.record import FORMAT
from ablations.records.store import Store
from vae.errors import VaebenchError
from vae.spec import RunSpec

HERE = Path(__file__).parent
GRIDS = sorted(path.parent for path in HERE.glob("*/grid/study.toml"))
FOUND = sorted(path.parent for path in HERE.glob("*/found/study.toml"))
Said = Callable[[], str]


def named(old: Path) -> str:
    return f"{old.parent.name}-{old.name}"


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    return lambda: " ".join("".join(capsys.readouterr()).split())


def copied(old: Path, tmp_path: Path) -> Store:
    return Store(Path(shutil.copytree(old, tmp_path / "results" / old.name)))


def folders(store: Store) -> dict[str, bytes]:
    return {name: (store.trials / name / "record.json").read_bytes() for name in store.names()}


@pytest.mark.parametrize("old", GRIDS, ids=named)
def test_nothing_of_an_old_grid_is_trained_again(old: Path, tmp_path: Path, said: Said) -> None:
    store = copied(old, tmp_path)
    before = folders(store)
    words = ["--results", str(store.root.parent), "--executor", "inline", "--no-pdf"]
    assert main(["run", str(store.study_file), *words]) == 0
    assert f"{len(before)} trials, {len(before)} done, 0 to train" in said()
    assert folders(store) == before
    shared = ["trial", "model", "kl_weight", "ssim_weight", "seed", "status", "reason", "mse", "ssim", "train_seconds"]
    pd.testing.assert_frame_equal(pd.read_csv(store.table_csv)[shared], pd.read_csv(old / "table.csv")[shared])


@pytest.mark.parametrize("old", [*GRIDS, *FOUND], ids=named)
def test_status_and_report_find_all_of_it(old: Path, tmp_path: Path, said: Said) -> None:
    store = copied(old, tmp_path)
    number = len(store.names())
    assert main(["status", str(store.root)]) == 0
    told = said()
    assert f"{number} done" in told
    assert f"{number} done, but by older code" in told
    assert "more in the folder" not in told
    assert main(["report", str(store.root), "--no-pdf"]) == 0
    page = (store.report / "index.html").read_text(encoding="utf-8")
    assert f"{number} done" in page
    assert f"{number} made by older code (stale)" in page
    table = pd.read_csv(store.table_csv)
    assert (table["stale"] == (table["status"] == "done")).all()


@pytest.mark.parametrize("old", GRIDS, ids=named)
def test_compare_matches_it_with_itself(old: Path, tmp_path: Path, said: Said) -> None:
    store = copied(old, tmp_path)
    assert main(["compare", str(old), str(store.root)]) == 0
    assert "nothing is worse" in said()


@pytest.mark.parametrize("old", GRIDS, ids=named)
def test_a_trial_of_it_is_trained_again(old: Path, said: Said) -> None:
    trial = next(path for path in sorted((old / "trials").iterdir()) if "dense_vae" in path.name)
    assert main(["rerun", str(trial)]) in {0, 1}  # the bits are those of the machine that it was made on
    told = said()
    assert "numbers are equal to the last bit" in told or "vae's code has changed since" in told


@pytest.mark.parametrize("old", FOUND, ids=named)
def test_a_search_goes_on_where_it_ended(old: Path, tmp_path: Path, said: Said) -> None:
    store = copied(old, tmp_path)
    before, log = folders(store), store.search.read_bytes()
    words = ["--results", str(store.root.parent), "--executor", "inline", "--no-pdf"]
    assert main(["tune", str(store.study_file), *words]) == 0
    assert f"{len(before)} trials done" in said()
    assert folders(store) == before
    assert store.search.read_bytes() == log


@pytest.mark.parametrize("old", GRIDS, ids=named)
def test_what_a_record_says_of_its_code_is_older_everywhere(old: Path) -> None:
    records = [one.record for one in known(Store(old))]
    assert {record.format for record in records} == {int(old.parent.name)}
    assert all(len(record.code["vae"]) == 64 for record in records)


def test_new_files_tell_their_format(tmp_path: Path) -> None:
    append(tmp_path / "log.jsonl", {"event": "start"})
    append(tmp_path / "log.jsonl", {"event": "end"})
    first, *rest = (tmp_path / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(first) == {"format": LOG_FORMAT}
    assert [json.loads(line)["event"] for line in rest] == ["start", "end"]
    assert [line["event"] for line in lines(tmp_path / "log.jsonl")] == ["start", "end"]


def test_what_a_newer_version_wrote_is_not_taken_for_missing(tmp_path: Path, said: Said) -> None:
    store = copied(GRIDS[0], tmp_path)
    path = store.trials / store.names()[0] / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | {"format": FORMAT + 1, "more": 1}))
    assert main(["status", str(store.root)]) == 2
    assert f"got format {FORMAT + 1}, expected one up to {FORMAT}" in said()
    (tmp_path / "log.jsonl").write_text(json.dumps({"format": LOG_FORMAT + 1}) + "\n")
    with pytest.raises(VaebenchError, match="a newer version of vaebench wrote it"):
        list(lines(tmp_path / "log.jsonl"))


DIGESTS = {
    "all of the defaults": ({}, "", "0301dfad23f8fb63"),
    "a data set of its own": (
        {"data": {"name": "digits", "limit": 100, "size": [16, 16]}},
        "ab" * 32,
        "9de0e816765c9b93",
    ),
    "the paper's decoder": ({"model": {"name": "conv", "decoder": "paper", "latent_dim": 64}}, "", "7a4db01cd038a8f8"),
    "the paper's baseline": (
        {"model": {"name": "dense", "latent_dim": 8}, "train": {"epochs": 60}},
        "",
        "0f9d6504c3683328",
    ),
    "ssim and a schedule": (
        {"loss": {"ssim": {"weight": 0.5}, "kl": {"weight": 1e-3, "schedule": "cyclical", "cycles": 2}}},
        "",
        "b2f55a95001d5b03",
    ),
    "no KL term": ({"model": {"name": "dense_vae"}, "loss": {"kl": {"weight": 0.0}}}, "", "84e0542a6af50865"),
}


@pytest.mark.parametrize("what", DIGESTS)
def test_a_digest_is_for_good(what: str) -> None:
    settings, checksum, digest = DIGESTS[what]
    assert RunSpec.parse(settings, "run").digest(checksum)[:16] == digest, "what was trained before would be lost"
