"""What is read from a search: the best so far, what matters, what a grid would have cost; and its figures."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from needs import package
from sklearn.ensemble import RandomForestRegressor

from ablations import Crew, Study, run
from ablations.analysis.grid import Grid
from ablations.cli import main
from ablations.report.figures import FIGURES, Drawn, LeftOut, Shown, draw
from ablations.report.findings import Answer, answer
from ablations.report.loaders import Loaders
from ablations.runner.executors import Executor
from ablations.search.found import Search, read_search
from ablations.search.tune import tune

package("keras_tuner")

TABLE: dict[str, Any] = {
    "name": "found",
    "fixed": {"dataset": "digits", "model": "dense_vae", "data.limit": 64, "train.epochs": 4},
    "axes": {
        "latent_dim": [2, 4, 8, 16],
        "learning_rate": {"min": 1e-4, "max": 1e-1, "log": True},
        "batch_size": {"min": 16, "max": 48, "step": 16},
        "seed": [0, 1],
    },
    "tune": {"tuner": "random", "trials": 24},
}


NOTHING = Grid.of([])


def never(record: object) -> Any:
    raise AssertionError(f"a search is shown without {record}")


LOADERS = Loaders(never, never)


def drawn_of(search: Search) -> list[Drawn | LeftOut]:
    return list(draw(NOTHING, LOADERS, search=search))


def only(name: str, search: Search) -> Drawn | LeftOut:
    (found,) = FIGURES[name].draw(Shown(NOTHING, "", LOADERS, search=search))
    return found


def told(search: Search | None) -> list[Answer]:
    return answer(NOTHING, {}, search=search)


SHARED: dict[str, Search] = {}  # of the table as it stands, made once


def searched(tmp_path: Path, **changes: Any) -> Search:
    if not changes:
        if not SHARED:
            SHARED["made"] = _searched(tmp_path)
        return SHARED["made"]
    return _searched(tmp_path, **changes)


def _searched(tmp_path: Path, **changes: Any) -> Search:
    study = Study.from_dict(TABLE | changes)
    found = read_search(study, tune(study, tmp_path, crew=Crew(executor="echo")).store)
    assert found is not None
    return found


def test_no_search_is_none(tmp_path: Path, echo: type[Executor]) -> None:
    study = Study.from_dict(TABLE | {"axes": {"latent_dim": [2]}})
    assert read_search(study, run(study, tmp_path, crew=Crew(executor="echo")).store) is None
    assert told(None) == []


def test_what_matters_is_told_with_how_far_to_trust_it(tmp_path: Path, echo: type[Executor]) -> None:
    search = searched(tmp_path)
    found = search.importance
    assert not isinstance(found, str)
    assert found.n == 24
    assert min(found.drops, key=found.drops.__getitem__) == "batch_size"  # of which the error knows nothing
    assert found.drops["batch_size"] < 0.05 < min(found.drops["latent_dim"], found.drops["learning_rate"])
    # Against a forest of our own of the same seed, fed by hand.
    x = [
        [
            [2, 4, 8, 16].index(one.proposal.values["latent_dim"]),
            np.log10(one.proposal.values["learning_rate"]),
            one.proposal.values["batch_size"],
        ]
        for one in search.scored
    ]
    y = [one.result.score for one in search.scored]
    forest = RandomForestRegressor(n_estimators=200, oob_score=True, random_state=0).fit(np.array(x), np.array(y))
    assert found.r2 == pytest.approx(forest.oob_score_)


def test_cost_counts_what_was_trained_once(tmp_path: Path, echo: type[Executor]) -> None:
    search = searched(tmp_path)
    assert search.grid.trials == 4 * 5 * 3 * 2  # five of the range without a step
    assert search.grid.coarse == ("learning_rate",)
    assert search.grid.seconds == pytest.approx(search.grid.trials * (1 + 4 + 0.5))
    assert sum(one.seconds for one in search.entries) == pytest.approx(24 * 2 * 5.5)
    assert sum(one.trained for one in search.entries) == 24 * 2 * 4
    (found,) = told(search)
    said = {one.lead: one.text for one in found.statements}
    best = min(search.scored, key=lambda one: one.result.metrics["sse"])
    assert f"proposal {best.proposal.number + 1}." in said["Best found"]
    assert "test images" in said["Best found"]
    assert "24 proposals by random, 0 failures, 0 repetitions: 192 epochs, 4 min 24 s" in said["Cost"]
    assert "(with 5 values of learning_rate) has 120 trials, about 11 min" in said["Cost"]
    assert "(24 proposals)" in said["What matters"]


def test_figures_of_one_score(tmp_path: Path, echo: type[Executor]) -> None:
    search = searched(tmp_path)
    drawn = drawn_of(search)
    assert [one.key for one in drawn if isinstance(one, Drawn)] == ["search-best", "search-axes", "search-importance"]
    best = only("search_best", search)
    assert isinstance(best, Drawn)
    steps = best.figure.axes[0].lines[1].get_ydata()
    scores = [one.result.metrics["sse"] for one in search.scored]
    np.testing.assert_allclose(steps, np.minimum.accumulate(scores))
    assert best.figure.axes[1].lines[0].get_xdata()[-1] == pytest.approx(24 * 2 * 5.5)
    for one in drawn:
        assert isinstance(one, Drawn)
        assert one.caption.endswith(".")
        assert one.save("svg") == one.save("svg")


def test_a_score_that_is_better_high_rises(tmp_path: Path, echo: type[Executor]) -> None:
    search = searched(tmp_path, tune=TABLE["tune"] | {"objective": "ssim"})
    best = only("search_best", search)
    assert isinstance(best, Drawn)
    assert (np.diff(best.figure.axes[0].lines[1].get_ydata()) >= 0).all()
    assert search.best is not None
    assert search.best.result.metrics["ssim"] == max(one.result.metrics["ssim"] for one in search.scored)


def test_figures_of_a_front_and_of_too_little(
    tmp_path: Path, echo: type[Executor], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = searched(tmp_path / "front", tune=TABLE["tune"] | {"objective": ["sse", "kl"]})
    drawn = drawn_of(front)
    assert [one.key for one in drawn if isinstance(one, Drawn)] == ["search-front", "search-axes"]
    assert "no one score" in drawn[-1].reason
    (answered,) = told(front)
    assert answered.statements[0].lead == "Pareto front"

    little = searched(tmp_path / "little", tune={"tuner": "random", "trials": 3})
    found = only("search_importance", little)
    assert isinstance(found, LeftOut)
    assert "3 scored configurations, expected at least 12" in found.reason

    monkeypatch.setattr(echo, "broken", staticmethod(lambda _: True))
    nothing = searched(tmp_path / "nothing", tune={"tuner": "random", "trials": 3})
    assert all(isinstance(one, LeftOut) for one in drawn_of(nothing))
    assert told(nothing)[0].statements[0].lead == "No result"


def test_the_command_searches_and_reports(
    tmp_path: Path, echo: type[Executor], capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.toml"
    file.write_text(
        '[fixed]\nmodel = "dense_vae"\ndata.limit = 64\nepochs = 9\n'
        "[axes]\nlatent_dim = { min = 2, max = 64, log = true }\n"
        'learning_rate = [1e-3, 1e-2]\n[tune]\ntuner = "hyperband"\ntrials = 14\n'
    )
    words = [str(file), "--results", str(tmp_path), "--executor", "echo", "--no-pdf"]
    assert main(["tune", *words]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "hyperband search for sse, at most 14 configurations with 1 seed each; 0 trials done" in out
    assert "trained 14 trials" in out
    (tmp_path / "found" / "report" / "index.html").unlink()
    assert main(["report", str(tmp_path / "found"), "--no-pdf"]) == 0  # from what lies there, as `tune` itself did
    page = (tmp_path / "found" / "report" / "index.html").read_text()
    for said in ("The search", "Best so far", "Where the search looked", "Which axes matter", "vaebench tune"):
        assert said in page
    assert main(["status", str(tmp_path / "found")]) == 0
    assert "14 trials" in capsys.readouterr().out
