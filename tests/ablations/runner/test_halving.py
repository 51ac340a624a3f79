"""Trials stopped at a rung: the same winner, seen everywhere, in no mean; and survivors are what they always were."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from watching import Notes

from ablations import Crew, Study, run
from ablations.analysis.grid import Grid
from ablations.cli import main
from ablations.records.store import Store
from ablations.report.tables.trials import failures, skips
from ablations.runner.collect import Collected, collect
from ablations.runner.executors import Executor
from ablations.runner.halving import decide, share_trained
from ablations.runner.plan import make_plan
from ablations.search.log import recorded_plan

RATES = [1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 1e-1]
TABLE: dict[str, Any] = {
    "name": "halved",
    "fixed": {"dataset": "digits", "model": "dense_vae", "data.limit": 64, "train.epochs": 9, "latent_dim": 2},
    "axes": {"learning_rate": RATES, "seed": [0, 1]},
    "stop": {"rungs": [1, 3], "keep": 0.5},
}
UNSTOPPED = Study.from_dict({key: value for key, value in TABLE.items() if key != "stop"})


class KilledError(BaseException):
    """Stands for a process that ends."""


def study(**changes: Any) -> Study:
    return Study.from_dict(TABLE | changes)


def statuses(outcome: Collected) -> dict[tuple[float, int], str]:
    return {(one.axes["learning_rate"], one.axes["seed"]): one.status for one in outcome.records}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=40), st.floats(0.01, 0.99))
def test_the_best_share_goes_on_and_one_at_least(values: list[float], share: float) -> None:
    cut = decide({str(place): value for place, value in enumerate(values)}, share)
    assert len(cut.kept) == max(math.ceil(share * len(values) - 1e-9), 1)
    kept = sorted(values[int(key)] for key in cut.kept)
    assert kept == sorted(values)[: len(kept)]
    assert cut.last == kept[-1]
    assert sorted((*cut.kept, *cut.stopped), key=int) == [str(place) for place in range(len(values))]


@pytest.mark.parametrize(("rivals", "kept"), [(3, 1), (6, 2), (9, 3), (10, 4), (1, 1)])
def test_a_third_of_a_multiple_of_three_is_exact(rivals: int, kept: int) -> None:
    assert len(decide({str(k): float(k) for k in range(rivals)}, 1 / 3).kept) == kept


def test_what_cannot_win_is_stopped_and_stays_visible(tmp_path: Path, echo: type[Executor]) -> None:
    outcome = run(study(), tmp_path / "pruned", crew=Crew(executor="echo"))
    jobs = list(echo.performed)
    full = run(UNSTOPPED, tmp_path / "full", crew=Crew(executor="echo"))
    # Six to epoch 1, three to epoch 3, two to the end; a configuration goes with all its seeds.
    assert statuses(outcome) == {
        (rate, seed): "done" if rate in {1e-3, 3e-3} else "pruned" for rate in RATES for seed in (0, 1)
    }
    best = [frame.loc[frame["sse_mean"].idxmin(), "learning_rate"] for frame in (outcome.summary, full.summary)]
    assert best[0] == best[1]
    epochs = dict(jobs)  # the last job of each trial
    assert sorted(epochs.values()) == [1] * 6 + [3] * 2 + [9] * 4

    reasons = {one.axes["learning_rate"]: one.reason for one in outcome.records if one.axes["seed"] == 0}
    assert reasons[1e-5].startswith("stopped after epoch 1 of 9: sse ")
    assert "is not among the best 3 of 6 on digits, whose last has" in reasons[1e-5]
    assert reasons[1e-2].startswith("stopped after epoch 3 of 9: sse ")
    assert reasons[1e-3] is None

    # Everywhere, and in no mean.
    table = pd.read_csv(outcome.store.table_csv)
    assert table["status"].tolist().count("pruned") == 8
    assert table.loc[table["status"] == "pruned", "sse"].isna().all()
    summary = outcome.summary.set_index("learning_rate")
    assert summary["pruned"].tolist() == [2, 2, 0, 0, 2, 2]
    assert summary["n"].tolist() == [0, 0, 2, 2, 0, 0]
    assert (summary["failed"] == 0).all()
    assert not outcome.failed
    assert failures(outcome.records) == []
    assert skips(outcome.records) == [
        "6 trials stopped after epoch 1 of 9, behind their rivals; no mean includes them.",
        "2 trials stopped after epoch 3 of 9, behind their rivals; no mean includes them.",
    ]
    assert [len(one.trials) for one in Grid.of(outcome.records).configurations] == [0, 0, 2, 2, 0, 0]
    assert not (outcome.store.root / "work").exists()


def test_a_second_run_trains_nothing_and_decides_nothing_else(tmp_path: Path, echo: type[Executor]) -> None:
    first = run(study(), tmp_path, crew=Crew(executor="echo"))
    echo.performed.clear()
    records = {one.trial: one for one in first.records}
    second = run(study(), tmp_path, crew=Crew(executor="echo"))
    assert echo.performed == []
    assert {one.trial: one for one in second.records} == records
    assert not make_plan(study(), first.store).missing


@pytest.mark.parametrize("moment", [1, 5, 12, 14, 17, 19, 21])
def test_killed_at_any_moment_it_ends_as_if_nothing_had_happened(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    calm = run(study(), tmp_path / "calm", crew=Crew(executor="echo"))
    jobs = list(echo.performed)
    echo.performed.clear()

    def blow(done: int) -> None:
        if done == moment:
            raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(echo, "blow", staticmethod(blow))
        with pytest.raises(KilledError):
            run(study(), tmp_path / "wild", crew=Crew(executor="echo"))
    store = Store(tmp_path / "wild" / "halved")
    waiting = collect(store, recorded_plan(study(), store))  # what `vaebench status` reads meanwhile
    assert not waiting.failed
    assert waiting.summary["failed"].sum() == 0
    wild = run(study(), tmp_path / "wild", crew=Crew(executor="echo"))
    assert statuses(wild) == statuses(calm)
    assert [one.reason for one in wild.records] == [one.reason for one in calm.records]
    assert echo.performed == jobs  # each job once, in the same order


def test_more_rivals_and_another_share_decide_anew(tmp_path: Path, echo: type[Executor]) -> None:
    few = [1e-5, 1e-4, 1e-1]
    run(study(axes={"learning_rate": few, "seed": [0]}), tmp_path, crew=Crew(executor="echo"))
    outcome = run(study(axes={"learning_rate": RATES, "seed": [0]}), tmp_path, crew=Crew(executor="echo"))
    fresh = run(study(axes={"learning_rate": RATES, "seed": [0]}), tmp_path / "fresh", crew=Crew(executor="echo"))
    done = {rate for (rate, _), status in statuses(fresh).items() if status == "done"}
    # What was done before stays done; the rest is as if all had been there from the beginning.
    before = {rate for (rate, _), status in statuses(outcome).items() if status == "done"}
    assert done <= before <= done | set(few)
    echo.performed.clear()
    wider = run(study(stop={"rungs": [1], "keep": 0.9}), tmp_path / "fresh", crew=Crew(executor="echo"))
    assert (
        list(statuses(wider).values()).count("pruned") == 0
    )  # nine tenths of six, rounded up, are six: who was stopped goes on
    assert set(statuses(run(UNSTOPPED, tmp_path, crew=Crew(executor="echo"))).values()) == {"done"}


def test_what_failed_before_a_rung_is_out_of_the_race_and_counts_for_nobody(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        echo, "broken", staticmethod(lambda spec: spec.train.learning_rate == 3e-3 and spec.train.seed == 1)
    )
    outcome = run(study(), tmp_path, crew=Crew(executor="echo"))
    found = statuses(outcome)
    assert found[3e-3, 1] == "diverged"
    assert found[3e-3, 0] == "paused"  # its mean would be over the seed that happened to work
    assert [found[1e-3, seed] for seed in (0, 1)] == ["done", "done"]
    assert len(outcome.failed) == 1
    # Once it works, it is in the race again.
    monkeypatch.setattr(echo, "broken", staticmethod(lambda _: False))
    again = statuses(run(study(), tmp_path, crew=Crew(executor="echo")))
    assert again[3e-3, 0] == again[3e-3, 1] == "done"


def test_rivals_are_of_one_kind(tmp_path: Path, echo: type[Executor]) -> None:
    axes = {"latent_dim": [2, 20], "learning_rate": RATES, "seed": [0]}
    fixed = {key: value for key, value in TABLE["fixed"].items() if key != "latent_dim"}
    together = run(study(axes=axes, fixed=fixed), tmp_path / "together", crew=Crew(executor="echo"))
    by = TABLE["stop"] | {"by": ["latent_dim"]}
    apart = run(study(axes=axes, fixed=fixed, stop=by), tmp_path / "apart", crew=Crew(executor="echo"))
    kept = [
        sorted({one.axes["latent_dim"] for one in outcome.records if one.status == "done"})
        for outcome in (together, apart)
    ]
    assert kept == [[20], [2, 20]]


def test_rungs_at_or_after_the_last_epoch_concern_nobody(tmp_path: Path, echo: type[Executor]) -> None:
    outcome = run(study(stop={"rungs": [9, 20]}), tmp_path, crew=Crew(executor="echo"))
    assert set(statuses(outcome).values()) == {"done"}


REAL: dict[str, Any] = {
    "name": "real",
    "fixed": {
        "model": "dense_vae",
        "hidden_units": [8],
        "data.limit": 200,
        "data.test_limit": 50,
        "batch_size": 32,
        "train.epochs": 3,
        "loss.kl.schedule": "warmup",  # told in shares of all epochs, of those not trained too
    },
    "axes": {"learning_rate": [1e-4, 3e-3, 1e-2], "seed": [0]},
}


def test_survivors_have_the_bits_of_a_run_without_rungs(tmp_path: Path) -> None:
    full = run(Study.from_dict(REAL), tmp_path / "full", crew=Crew(executor="inline", threads=1))
    halved = Study.from_dict(REAL | {"stop": {"rungs": [1, 2], "keep": 0.6}})
    notes = Notes()
    # In worker processes, which are kept from rung to rung, so that a survivor's epochs are spread over all of them.
    outcome = run(halved, tmp_path / "halved", crew=Crew(workers=1, threads=1), watch=notes)
    assert [one.status for one in outcome.records] == ["pruned", "done", "done"]
    assert len([event for event in notes.events if event.kind == "epoch"]) == 1 + 3 + 3  # none is trained twice
    for one, other in zip(outcome.records, full.records, strict=True):
        history = [store.history(other).drop(columns="seconds") for store in (outcome.store, full.store)]
        pd.testing.assert_frame_equal(history[0], history[1].head(len(history[0])))
        if one.status == "done":
            assert one.metrics == other.metrics
            arrays = [store.arrays(other) for store in (outcome.store, full.store)]
            assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[1])


def test_a_plan_tells_what_the_rungs_leave(tmp_path: Path, echo: type[Executor]) -> None:
    table = study()
    trials = list(table.trials())
    epochs = trials[0].spec.train.epochs
    stop = table.stop
    assert stop is not None
    outcome = run(table, tmp_path, crew=Crew(executor="echo"))
    trained = sum(len(outcome.store.history(record)) for record in outcome.records)
    assert share_trained(stop, trials) == pytest.approx(trained / (epochs * len(trials)))


def test_the_plan_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "halved.toml"
    file.write_text(tomli_w.dumps(REAL | {"stop": {"rungs": [1, 2], "keep": 0.6}}))
    assert main(["plan", str(file), "--results", str(tmp_path)]) == 0
    # Three trials of 3 epochs: one stops after the first, and of two both go on.
    assert "[stop]: rungs after epochs 1, 2 leave about 78% of all epochs" in capsys.readouterr().out
