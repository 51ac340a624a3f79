"""A search: the same proposals whatever happens, each trial once, every failure seen; no kill leaves a trace."""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from needs import package
from watching import Notes

from ablations import Crew, Study, run
from ablations.cli import main
from ablations.records.store import Store
from ablations.runner.collect import collect
from ablations.runner.executors import Executor
from ablations.search import tune as tuning
from ablations.search.found import read_search
from ablations.search.log import Proposal, SearchLog, recorded_plan
from ablations.search.tune import scalarised, tune
from ablations.study.tune import TuneSpec
from vae.errors import SpecError

package("keras_tuner")

KILLS = int(os.environ.get("VAEBENCH_SEARCH_KILLS", "1"))
TABLE: dict[str, Any] = {
    "name": "found",
    "fixed": {"dataset": "digits", "model": "dense_vae", "data.limit": 64, "train.epochs": 9},
    "axes": {
        "latent_dim": {"min": 2, "max": 64, "log": True},
        "learning_rate": {"min": 1e-4, "max": 1e-1, "log": True},
        "seed": [0, 1],
    },
}
SETTINGS: dict[str, dict[str, Any]] = {
    "random": {"trials": 10},
    "bayesian": {"trials": 10},
    "hyperband": {"trials": 17, "parallel": 3},
    "grid": {},
}


class KilledError(BaseException):
    """Stands for a process that ends."""


def study(tuner: str = "random", **changes: Any) -> Study:
    table = TABLE | {"tune": {"tuner": tuner} | SETTINGS[tuner]}
    if tuner == "grid":
        table |= {"axes": {"latent_dim": [2, 4, 8], "learning_rate": [1e-3, 1e-2, 1e-1], "seed": [0]}}
    return Study.from_dict(table | changes)


def log_of(root: Path, of: Study) -> tuple[list[Proposal], list[dict[str, Any]]]:
    log = SearchLog(root / of.folder_name / "search.jsonl", of)
    return log.proposals, [vars(log.results[one.number]) for one in log.proposals]


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what undisturbed searches proposed, filled by who asks first."""
    return {"root": tmp_path_factory.mktemp("calm")}


def undisturbed(calm: dict[str, Any], tuner: str) -> tuple[list[Proposal], list[dict[str, Any]]]:
    if tuner not in calm:
        tune(study(tuner), calm["root"] / tuner, crew=Crew(executor="echo"))
        calm[tuner] = log_of(calm["root"] / tuner, study(tuner))
    return calm[tuner]  # type: ignore[no-any-return]


@pytest.mark.parametrize("tuner", SETTINGS)
def test_each_proposal_is_a_trial_like_any_other(tmp_path: Path, echo: type[Executor], tuner: str) -> None:
    of = study(tuner)
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    proposals, results = log_of(tmp_path, of)
    assert [one.number for one in proposals] == list(range(len(proposals)))
    assert len(proposals) == (9 if tuner == "grid" else SETTINGS[tuner]["trials"])
    named = {trial for result in results for trial in result["trials"]}
    assert named == set(outcome.store.names()) == {record.trial for record in outcome.records}
    assert {record.status for record in outcome.records} == {"done"}
    assert outcome.trained == len(echo.performed) == len(named)
    for result in results:  # the mean over the seeds
        values = [outcome.store.read(name).metrics["sse"] for name in result["trials"]]
        assert result["score"] == result["metrics"]["sse"] == pytest.approx(sum(values) / len(values))
    assert len(pd.read_csv(outcome.store.table_csv)) == len(named)
    assert not (outcome.store.root / "work").exists()
    # Again: nothing is proposed, nothing trained.
    before = outcome.store.search.read_bytes()
    assert tune(of, tmp_path, crew=Crew(executor="echo")).trained == 0
    assert outcome.store.search.read_bytes() == before


def torn(path: Path, dice: random.Random) -> None:
    """Cut the last line of a log short, as a machine that loses its power may."""
    content = path.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    path.write_bytes(content[: dice.randrange(last, len(content))])


@pytest.mark.parametrize("tuner", SETTINGS)
def test_a_search_cut_off_at_any_moment_proposes_the_same_and_counts_each_once(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch, calm: dict[str, Any], tuner: str
) -> None:
    proposals, results = undisturbed(calm, tuner)
    calmly = len(Counter(trial for result in results for trial in result["trials"]))
    echo.performed.clear()
    dice = random.Random(tuner)  # noqa: S311 - no secret
    of = study(tuner)
    for kill in range(3):
        moment = dice.randrange(2 * calmly // 3)

        def blow(done: int, moment: int = moment) -> None:
            if done >= moment:
                raise KilledError

        with monkeypatch.context() as patch:
            patch.setattr(echo, "blow", staticmethod(blow))
            with pytest.raises(KilledError):
                tune(of, tmp_path, crew=Crew(executor="echo"))
        if kill == 1:
            torn(tmp_path / of.folder_name / "search.jsonl", dice)
    tune(of, tmp_path, crew=Crew(executor="echo"))
    assert log_of(tmp_path, of) == (proposals, results)
    done = [trial for trial, _ in echo.performed]
    assert len(done) == len(set(done)) == calmly


def test_a_trial_that_is_deleted_is_trained_again_and_the_search_is_as_it_was(
    tmp_path: Path, echo: type[Executor]
) -> None:
    of = study()
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    before = log_of(tmp_path, of)
    gone = outcome.records[3].trial
    shutil.rmtree(outcome.store.trials / gone)
    echo.performed.clear()
    assert tune(of, tmp_path, crew=Crew(executor="echo")).trained == 1
    assert [trial for trial, _ in echo.performed] == [gone]
    assert log_of(tmp_path, of) == before


def test_more_trials_go_on_where_fewer_ended(tmp_path: Path, echo: type[Executor]) -> None:
    first = tune(study(tune={"tuner": "random", "trials": 4}), tmp_path, crew=Crew(executor="echo"))
    more = tune(study(), tmp_path, crew=Crew(executor="echo"))
    assert more.trained == 2 * (10 - 4)
    assert {record.trial for record in first.records} < {record.trial for record in more.records}


def test_another_search_in_the_same_folder_begins_anew_and_uses_what_is_there(
    tmp_path: Path, echo: type[Executor]
) -> None:
    grid = study("grid")
    run(grid, tmp_path, crew=Crew(executor="echo"))  # the same study as a grid
    assert tune(grid, tmp_path, crew=Crew(executor="echo")).trained == 0
    other = tune(study("grid", tune={"tuner": "random", "trials": 3}), tmp_path, crew=Crew(executor="echo"))
    assert other.trained == 0
    assert len(other.records) == 3
    # Who reads the folder sees the search, and what else there is of the grid.
    plan = recorded_plan(study("grid", tune={"tuner": "random", "trials": 3}), other.store)
    assert len(collect(other.store, plan).records) == 9


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_a_trial_that_diverges_is_seen_and_the_search_goes_on(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch, tuner: str
) -> None:
    monkeypatch.setattr(echo, "broken", staticmethod(lambda spec: spec.train.learning_rate > 3e-3))
    of = study(tuner)
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    proposals, results = log_of(tmp_path, of)
    assert len(results) == SETTINGS[tuner]["trials"]
    lost = [result for result in results if result["status"] != "done"]
    assert lost
    assert all(result["score"] is None and "loss not finite" in result["reason"] for result in lost)
    assert len(outcome.failed) == 2 * len(lost)
    assert not any(proposals[one["number"]].parent for one in lost)  # none goes on from what failed
    # A failure is an answer: it is not asked for again.
    assert tune(of, tmp_path, crew=Crew(executor="echo")).trained == 0
    search = read_search(of, outcome.store)
    assert search is not None
    assert search.best is not None
    assert search.best.result.score == min(result["score"] for result in results if result["score"] is not None)


def test_rules_leave_proposals_out(tmp_path: Path, echo: type[Executor]) -> None:
    of = study("grid", exclude=[{"latent_dim": 2, "learning_rate": 1e-3}])
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    _, results = log_of(tmp_path, of)
    assert Counter(result["status"] for result in results) == {"done": 8, "refused": 1}
    refused = next(result for result in results if result["status"] == "refused")
    assert refused["reason"] == "left out by exclude 1: latent_dim = 2, learning_rate = 0.001"
    assert outcome.trained == 8


def test_hyperband_goes_on_from_the_shorter_training(tmp_path: Path, echo: type[Executor]) -> None:
    notes = Notes()
    of = study("hyperband")
    tune(of, tmp_path, crew=Crew(executor="echo"), watch=notes)
    seen = {name: job.shared for name, job in notes.jobs.items()}
    proposals, results = log_of(tmp_path, of)
    rungs = {one.number: results[one.number]["trials"] for one in proposals}
    promoted = [one for one in proposals if one.parent is not None]
    assert promoted
    for one in promoted:
        assert [seen[trial] for trial in rungs[one.number]] == [seen[trial] for trial in rungs[one.parent]]
    assert len(set(seen.values())) == 2 * sum(one.parent is None for one in proposals)  # apart for each seed
    frame = collect(Store(tmp_path / "found"), recorded_plan(of, Store(tmp_path / "found"))).summary
    assert set(frame["epochs"]) == {1, 3, 9} & set(frame["epochs"])
    assert (frame["n"] == 2).all()  # lengths are not mixed in a mean

    scheduled = study("hyperband", fixed=TABLE["fixed"] | {"loss.kl.schedule": "warmup"})
    notes = Notes()
    tune(scheduled, tmp_path / "warm", crew=Crew(executor="echo"), watch=notes)
    assert any(
        job.shared is None for job in notes.jobs.values()
    )  # a schedule is told in shares of the whole: trained anew


def test_weights_add_up_in_each_metrics_direction(tmp_path: Path, echo: type[Executor]) -> None:
    of = study(tune={"trials": 3, "tuner": "random", "objective": {"sse": 2.0, "ssim": 10.0, "kl": 0.5}})
    tune(of, tmp_path, crew=Crew(executor="echo"))
    for result in log_of(tmp_path, of)[1]:
        metrics = result["metrics"]
        assert result["score"] == pytest.approx(2 * metrics["sse"] - 10 * metrics["ssim"] + 0.5 * metrics["kl"])


def test_two_metrics_give_a_front(tmp_path: Path, echo: type[Executor]) -> None:
    of = study(tune={"trials": 14, "tuner": "bayesian", "objective": ["sse", "kl"]})
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    search = read_search(of, outcome.store)
    assert search is not None
    points = [(one.result.metrics["sse"], one.result.metrics["kl"]) for one in search.scored]
    front = {(one.result.metrics["sse"], one.result.metrics["kl"]) for one in search.front}
    beaten = {(x, y) for x, y in points if any(a <= x and b <= y and (a, b) != (x, y) for a, b in points)}
    assert front == set(points) - beaten
    assert search.best is None


def test_random_weights_differ_from_proposal_to_proposal_and_are_the_same_again() -> None:
    known = {k: {"sse": float(k), "kl": float((5 - k) ** 2)} for k in range(6)}
    spec = TuneSpec(objective=("sse", "kl"))
    winners = {min(scores, key=scores.__getitem__) for k in range(40) if (scores := scalarised(known, spec, k))}
    assert {0, 5} <= winners  # either end, by its weights
    assert len(winners) > 2
    assert scalarised(known, spec, 3) == scalarised(known, spec, 3)
    assert scalarised({}, spec, 0) == {}


def test_what_cannot_be_searched_is_said_before_anything_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.toml"
    file.write_text('[fixed]\nmodel = "dense"\n[axes]\nlatent_dim = { min = 2, max = 8 }\n')
    for command in ("run", "plan"):
        assert main([command, str(file), "--results", str(tmp_path / "r")]) == 2
        assert "search it with `vaebench tune" in capsys.readouterr().err.replace("\n", " ")
    with pytest.raises(SpecError, match="vaebench tune"):
        run(Study.load(file), tmp_path / "r")
    with pytest.raises(SpecError, match="no grid to add rows to"):
        tuning.check(study(include=[{"latent_dim": 3}]))
    with pytest.raises(SpecError, match="nothing to search"):
        tuning.check(study("grid", axes={"latent_dim": [2], "seed": [0, 1]}))
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    assert main(["tune", str(file), "--results", str(tmp_path / "r")]) == 2
    assert "vaebench[tune]" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


def test_a_log_that_another_version_made_is_followed_or_refused(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    of = study("grid")
    outcome = tune(of, tmp_path, crew=Crew(executor="echo"))
    _, *written = outcome.store.search.read_text().splitlines()  # the first tells the format
    lines = [json.loads(line) for line in written]
    moved = [line for line in lines if line["event"] == "proposed"]
    moved[0]["values"], moved[1]["values"] = moved[1]["values"], moved[0]["values"]
    outcome.store.search.write_text("".join(json.dumps(line) + "\n" for line in lines if line["event"] != "scored"))
    tune(of, tmp_path, crew=Crew(executor="echo"))
    followed = [vars(one)["values"] for one in log_of(tmp_path, of)[0][:2]]
    assert followed == [line["values"] for line in moved[:2]]
    monkeypatch.setattr(tuning.Oracle, "ask", lambda *_, **__: None)
    with pytest.raises(SpecError, match="proposal 0 can't be made again"):
        tune(of, tmp_path, crew=Crew(executor="echo"))


REAL = """
name = "real"
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 200
data.test_limit = 50
batch_size = 32
train.epochs = 3
[axes]
learning_rate = { min = 1e-4, max = 1e-2, log = true }
[tune]
tuner = "TUNER"
trials = 5
parallel = 2
"""


def start(file: Path, results: Path, log: Path) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "vaebench", "tune", str(file), "--results", str(results), "--executor", "inline"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    with log.open("ab") as output:
        return subprocess.Popen([*words, "--no-pdf"], env=environment, stdout=output, stderr=subprocess.STDOUT)


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["hyperband", "bayesian"] if KILLS > 1 else ["hyperband"])
def test_killed_searches_end_with_the_same_bits(tmp_path: Path, tuner: str) -> None:
    """`nox -s search -- --kills` kills both tuners' searches three times each."""
    file = tmp_path / "real.toml"
    file.write_text(REAL.replace("TUNER", tuner))
    of = Study.load(file)
    calm = tune(of, tmp_path / "calm", crew=Crew(executor="inline", threads=len(os.sched_getaffinity(0))))
    dice = random.Random(0)  # noqa: S311 - no secret
    wild = Store(tmp_path / "wild" / "real")
    for _ in range(KILLS):
        process = start(file, tmp_path / "wild", tmp_path / "log")
        before = len(wild.names())
        while process.poll() is None and len(wild.names()) <= before:
            time.sleep(0.02)
        time.sleep(dice.uniform(0, 1))
        process.kill()
        process.wait()
    last = start(file, tmp_path / "wild", tmp_path / "log")
    assert last.wait(600) == 0, (tmp_path / "log").read_text()
    assert log_of(tmp_path / "wild", of) == log_of(tmp_path / "calm", of)
    assert wild.names() == calm.store.names()
    for name in wild.names():
        one, other = wild.read(name), calm.store.read(name)
        assert one.metrics == other.metrics
    ends = Counter(attempt.trial for attempt in wild.ledger.attempts() if attempt.status == "done")
    assert ends == dict.fromkeys(wild.names(), 1)
    page = (wild.root / "report" / "index.html").read_text()
    assert "Best so far" in page
    assert "The search" in page
    if tuner == "hyperband":
        longer = [one for one in log_of(tmp_path / "calm", of)[0] if one.parent is not None]
        assert longer
        for one in longer:
            (name,) = log_of(tmp_path / "calm", of)[1][one.number]["trials"]
            assert "resumed" in calm.store.read(name).notes  # from the rung below
        # The longest equals the same trial trained in one go.
        (name,) = log_of(tmp_path / "calm", of)[1][longer[-1].number]["trials"]
        row = calm.store.read(name).axes
        straight = Study.from_dict(
            {"name": "straight", "fixed": dict(of.fixed) | {"train.epochs": row["epochs"]}}
            | {"axes": {"learning_rate": [row["learning_rate"]]}}
        )
        again = run(straight, tmp_path / "straight", crew=Crew(executor="inline", threads=len(os.sched_getaffinity(0))))
        assert again.records[0].metrics == calm.store.read(name).metrics
