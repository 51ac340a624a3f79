"""Where numbers come from, and what they cost: counted where it was measured, absent where it was not."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from ablations.records.ledger import Ledger, Run
from ablations.report.provenance import provenance
from ablations.runner import energy
from ablations.runner.energy import Meter, metered

RUN = Run("2025-01-01T00:00:00+00:00", "2025-01-01T01:00:00+00:00", "here", 2, 1, 4)


def counters(root: Path, values: dict[str, tuple[str, int]]) -> None:
    for zone, (name, value) in values.items():
        folder = root / zone
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "energy_uj").write_text(f"{value}\n")
        (folder / "max_energy_range_uj").write_text("262143000000\n")


def test_energy_is_that_of_whole_packages_and_survives_the_counters_turn(tmp_path: Path) -> None:
    zones = {"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:1": "package-1", "intel-rapl:2": "psys"}
    counters(tmp_path, {zone: (name, 262_142_000_000) for zone, name in zones.items()})
    meter = Meter(tmp_path)
    meter.look()
    assert meter.joules == 0
    counters(tmp_path, {"intel-rapl:0": ("package-0", 4_000_000), "intel-rapl:1": ("package-1", 262_142_500_000)})
    meter.look()
    assert meter.joules == pytest.approx(5 + 0.5), "1 J to the turn, 4 after it; half a joule of the other package"


def test_energy_that_cannot_be_read_is_absent(tmp_path: Path) -> None:
    assert Meter(tmp_path / "none").joules is None
    counters(tmp_path, {"intel-rapl:0": ("package-0", 1)})
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()  # as where only root may read it
    assert Meter(tmp_path).joules is None
    counters(tmp_path, {"intel-rapl:0": ("package-0", 1)})
    meter = Meter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("?")
    meter.look()
    counters(tmp_path, {"intel-rapl:0": ("package-0", 9)})
    meter.look()
    assert meter.joules is None, "what was missed once is not made up"


def test_a_thread_looks_in_between_and_the_end_looks_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counters(tmp_path, {"intel-rapl:0": ("package-0", 0)})
    readings = iter(range(0, 10**9, 10**6))
    monkeypatch.setattr(energy, "_read", lambda file: 10**12 if "range" in file.name else next(readings))
    with metered(tmp_path, seconds=0.001) as meter:
        while (meter.joules or 0) < 3:
            pass
    seen = meter.joules
    assert seen is not None
    assert seen >= 4
    with metered(tmp_path / "none") as nothing:
        pass
    assert nothing.joules is None


def test_runs_are_logged_beside_attempts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "attempts.jsonl")
    ledger.start("a")
    ledger.run(RUN)
    ledger.run(replace(RUN, joules=7200.0))
    with ledger.path.open("a") as file:
        file.write('{"event": "run", "of": "a later version"}\n')
    assert ledger.runs() == [RUN, replace(RUN, joules=7200.0)]
    assert [one.trial for one in ledger.attempts()] == ["a"]


def test_cost_is_told_as_far_as_it_was_measured(study: ModuleType) -> None:
    records = study.demo(models=("dense",), broken=False).records
    assert len(records) == 6
    rows = dict(provenance(records, [RUN, replace(RUN, joules=7200.0, trained=2)]))
    total = sum(one.timings["cpu_seconds"] for one in records)
    assert rows["processor time in all"].startswith(f"{total / 3600:.2f} CPU hours ({total:,.0f} s) over 6 trials")
    assert rows["energy of the processors"].startswith("2.0 Wh (7,200 J) by their counters (RAPL) over 1 of 2 runs")
    assert "trained 2 trials" in rows["energy of the processors"]
    assert rows["runs that trained"] == "2 workers of 1 thread (2 runs)"
    older = [replace(one, timings={"train_seconds": 1.0}) for one in records]
    rows = dict(provenance(older, [RUN]))
    assert "training time in all" in rows
    assert not {"processor time in all", "energy of the processors"} & rows.keys()


@pytest.mark.parametrize(
    ("git", "said"),
    [
        ("a" * 40, f"{'a' * 40}, nothing uncommitted"),
        ("a" * 40 + "+", f"{'a' * 40}, with uncommitted changes"),
        (None, "none: vaebench ran as installed, in the version given among the packages"),
    ],
)
def test_the_commit_is_told_with_the_state_of_the_tree(study: ModuleType, git: str | None, said: str) -> None:
    records = [replace(one, code={"vae": "f" * 64, "git": git}) for one in study.demo(models=("dense",)).records]
    rows = dict(provenance(records))
    assert rows["code: commit"] == said
    assert rows["code: SHA-256 of the source of vae"] == "f" * 64


def test_the_code_is_told_part_by_part(study: ModuleType) -> None:
    records = study.demo(models=("dense",), broken=False).records
    parts = [{"network conv": "a" * 64}, {"network dense": "b" * 64}]
    code = {"vae": "e" * 64, "core": "c" * 64, "git": None}
    told = [replace(one, code=code | {"parts": parts[place % 2]}) for place, one in enumerate(records)]
    rows = {what: value for what, value in provenance(told) if what.startswith("code")}
    assert rows["code: SHA-256 of the core"] == "c" * 64
    assert rows["code: SHA-256 of the network conv"] == "a" * 64
    assert rows["code: SHA-256 of the network dense"] == "b" * 64
    assert "e" * 64 not in rows.values(), "it sums up the others, and is another one for each set of parts"


def test_records_of_two_commits_are_counted(study: ModuleType) -> None:
    records = study.demo(models=("dense",), broken=False).records
    records[0] = replace(records[0], code={"git": "b" * 40})
    rows = dict(provenance(records))
    assert "(5 trials)" in rows["code: commit"]
    assert "nothing uncommitted (1 trials)" in rows["code: commit"]


def test_a_variable_that_only_some_trials_were_made_with_is_told_of_the_others_too(study: ModuleType) -> None:
    records = study.demo(models=("dense",), broken=False).records
    environments = [{"arithmetic": {"TF_ENABLE_ONEDNN_OPTS": "0"}}, {"arithmetic": {}}, {"arithmetic": {}}, {}]
    made = [replace(one, environment=other) for one, other in zip(records, environments, strict=False)]
    rows = dict(provenance(made))
    assert rows["arithmetic: TF_ENABLE_ONEDNN_OPTS"] == "not set (2 trials); 0 (1 trials)"
    assert not [what for what in dict(provenance(records)) if what.startswith("arithmetic")]
