"""Watchers write what happened, once, in files that TensorBoard and MLflow read."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ablations import Study
from ablations.cli import _parser, main
from ablations.records.record import Record
from ablations.records.store import Store
from ablations.runner.job import Event, Job
from ablations.runner.watchers import WATCHERS, Subject, Watcher, Watchers
from ablations.study.trial import Trial
from vae.errors import SpecError

STUDY = """
name = "watched"
[fixed]
model = "dense_vae"
hidden_units = [8]
data.limit = 64
data.test_limit = 32
epochs = 3
[axes]
latent_dim = [2]
"""


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    import tomllib

    return Subject(Study.from_dict(tomllib.loads(STUDY)), Store(tmp_path / "watched"))


def only(subject: Subject) -> Trial:
    (trial,) = subject.study.trials()
    return trial


def opened(subject: Subject, kind: str) -> Watchers:
    """Return a watcher that knows what is going to happen."""
    watchers = Watchers.open(subject, {kind: ""})
    watchers.on_jobs([Job(only(subject), subject.store.root)])
    return watchers


def events(subject: Subject, first: int, last: int) -> Iterator[Event]:
    """Yield a trial's epochs from `first` to `last`, and its end if that is the last of three."""
    name = only(subject).name
    yield Event("started", name)
    for epoch in range(first, last + 1):
        yield Event("epoch", name, epoch, {"epoch": epoch, "loss": 10.0 / epoch, "val_kl": epoch / 2})
    if last == 3:
        metrics = {"mse": 0.25, "knn_accuracy": None}
        record = Record(name, "0" * 64, {"latent_dim": 2}, "done", metrics=metrics)
        with subject.store.commit(name) as draft:
            draft.write_arrays(
                {"examples": np.full((2, 8, 8, 1), 128, np.uint8), "samples": np.zeros((1, 8, 8, 3), np.uint8)}
            )
            draft.write_record(record)
        yield Event("finished", name, record=record)


def watched(subject: Subject, kind: str, parts: Sequence[tuple[int, int]]) -> None:
    """Have a watcher look on, a new one for each part, as after a runner's death."""
    for part in parts:
        watchers = opened(subject, kind)
        for event in events(subject, *part):
            watchers.on_event(event)
        watchers.close()
        assert watchers.lost == {}


def points(folder: Path) -> dict[str, list[tuple[int, Any]]]:
    """Return tag -> (step, value) in the order written, of all event files in a folder."""
    import tensorflow as tf
    from tensorflow.core.util import event_pb2

    found: dict[str, list[tuple[int, Any]]] = {}
    for path in sorted(folder.glob("*tfevents*")):
        for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = event_pb2.Event.FromString(raw)
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, tf.make_ndarray(value.tensor)))
    return found


def test_event_files_hold_each_epoch_once_and_pictures_at_the_end(subject: Subject) -> None:
    # The second runner tells epoch 2 again, for its checkpoint was of epoch 1.
    watched(subject, "tensorboard", [(1, 2), (2, 3)])
    name = only(subject).name
    found = points(subject.store.root / "tensorboard" / name)
    assert [(step, float(value)) for step, value in found["epoch/loss"]] == [
        (1, 10.0), (2, 5.0), (3, pytest.approx(10 / 3)),
    ]  # fmt: skip
    assert [step for step, _ in found["epoch/val_kl"]] == [1, 2, 3]
    assert "epoch/epoch" not in found
    assert [(step, float(value)) for step, value in found["metric/mse"]] == [(3, 0.25)]
    assert "metric/knn_accuracy" not in found
    ((step, picture),) = found["examples"]
    assert (step, picture.tolist()[:2]) == (3, [b"8", b"8"])
    assert all(png.startswith(b"\x89PNG") for png in picture.tolist()[2:])
    assert len(picture) == 2 + 2


def test_event_files_survive_a_torn_end_and_lose_what_older_code_wrote(subject: Subject) -> None:
    watched(subject, "tensorboard", [(1, 2)])
    name = only(subject).name
    folder = subject.store.root / "tensorboard" / name
    (file,) = folder.iterdir()
    with file.open("ab") as torn:
        torn.write(b"\x20\x00\x00")
    (folder / "events.out.tfevents.1.host.0000beef").write_bytes(b"")
    watched(subject, "tensorboard", [(1, 3)])
    assert not list(folder.glob("*0000beef"))
    file.write_bytes(file.read_bytes()[:-3])
    assert [step for step, _ in points(folder)["epoch/loss"]] == [1, 2, 3]


@pytest.mark.filterwarnings(
    "ignore:The ``noload`` loader strategy:DeprecationWarning"
)  # MLflow's own use of SQLAlchemy
def test_mlflow_runs_are_nested_and_hold_each_epoch_once(subject: Subject, tmp_path: Path) -> None:
    killed = WATCHERS["mlflow"](subject, "")  # with its runner: nobody closes it
    killed.on_jobs([Job(only(subject), subject.store.root)])
    for event in events(subject, 1, 2):
        killed.on_event(event)
    watchers = opened(subject, "mlflow")
    for event in events(subject, 2, 3):
        watchers.on_event(event)
    page = tmp_path / "index.html"
    page.write_text("the report")
    watchers.close([page])
    assert watchers.lost == {}

    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{subject.store.root / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("watched")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    name = only(subject).name
    assert set(runs) == {"watched", name}
    trial, parent = runs[name], runs["watched"]
    assert trial.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert trial.data.params["model.latent_dim"] == "2"
    assert trial.data.params["train.epochs"] == "3"
    losses = client.get_metric_history(trial.info.run_id, "loss")
    assert sorted((point.step, point.value) for point in losses) == [(1, 10.0), (2, 5.0), (3, 10 / 3)]
    assert trial.data.metrics["test_mse"] == 0.25
    assert (trial.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    record = Path(client.download_artifacts(trial.info.run_id, "record.json"))
    assert json.loads(record.read_text())["status"] == "done"
    assert [item.path for item in client.list_artifacts(parent.info.run_id, "report")] == ["report/index.html"]


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
@pytest.mark.parametrize("name", ["x" * 600, 'it\'s a "study" \x1b[2J \n a\\b`c'])
def test_mlflow_takes_any_name_and_finds_its_runs_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from mlflow import MlflowClient

    monkeypatch.chdir(tmp_path)  # a database of one's own has its files here
    trial = only(Subject(Study.from_dict({"name": name, "axes": {"latent_dim": [2]}}), Store(tmp_path)))
    settings = {"text": "t" * 7000, "path": "caf\udce9", "s" * 300: 1}
    seen = []
    for twin in (name, name[:-1] + "y"):
        subject = Subject(Study.from_dict({"name": twin, "axes": {"latent_dim": [2]}}), Store(tmp_path))
        for _ in range(2):
            watcher = WATCHERS["mlflow"](subject, f"sqlite:///{tmp_path / 'all.db'}")
            watcher.on_jobs([Job(trial, subject.store.root)])
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("ablations.runner.watchers.mlflow.flatten", lambda _: settings)
                watcher.on_event(Event("started", trial.name))
            watcher.on_event(Event("epoch", trial.name, 1, {"loss": 1.0, "m" * 300: 2.0}))
            failed = Record(trial.name, "0" * 64, {}, "failed", reason="why " * 3000)
            watcher.on_event(Event("finished", trial.name, record=failed))
            watcher.close()
    client = MlflowClient(f"sqlite:///{tmp_path / 'all.db'}")
    for experiment in client.search_experiments():
        if experiment.name != "Default":
            runs = client.search_runs([experiment.experiment_id])
            seen.append((experiment.name, len(runs)))
            (one,) = [run for run in runs if run.info.run_name == trial.name]
            assert {name[:9] for name in one.data.params} == {"text", "path", "sssssssss"}
            assert one.data.params["text"].startswith("t" * 4000)
            assert one.data.tags["vaebench.reason"].startswith("why why")
    assert [count for _, count in seen] == [2, 2], "the study's run and the trial's, of each study"
    assert len({label for label, _ in seen}) == 2


def test_a_watcher_that_fails_is_left_behind_and_stops_nobody() -> None:
    class Gone(Watcher):
        def on_event(self, event: Event) -> None:
            raise ConnectionError("the server is gone\nand so on")

        def close(self, files: Sequence[Path] = ()) -> None:
            raise AssertionError

    class Here(Watcher):
        def __init__(self) -> None:
            self.seen: list[Event] = []
            self.closed = 0

        def on_event(self, event: Event) -> None:
            self.seen.append(event)

        def close(self, files: Sequence[Path] = ()) -> None:
            self.closed += 1

    here = Here()
    with Watchers({"mlflow": Gone(), "tensorboard": here}) as watchers:
        for _ in range(2):
            watchers.on_event(Event("started", "one"))
    assert watchers.lost == {"mlflow": "the server is gone"}
    assert len(here.seen) == 2
    assert here.closed == 1


def test_without_mlflow_the_extra_is_named_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "mlflow" else found(name, *rest)
    )
    file = tmp_path / "watched.toml"
    file.write_text(STUDY)
    assert main(["run", str(file), "--results", str(tmp_path / "r"), "--mlflow", "--executor", "inline"]) == 2
    assert "python -m pip install 'vaebench[mlflow]'" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "r").exists()


def test_a_watcher_overrides_what_it_likes(subject: Subject) -> None:
    class Ends(Watcher):
        """Hears of one thing, and is told the others all the same."""

        heard: list[str]

        def on_event(self, event: Event) -> None:
            self.heard.append(event.kind)

    watcher = Ends()
    watcher.heard = []
    watcher.on_jobs([Job(only(subject), subject.store.root)])
    told = list(events(subject, 1, 3))
    for event in told:
        watcher.on_event(event)
    watcher.close()
    assert watcher.heard == [event.kind for event in told]


def test_a_watcher_that_can_not_be_opened_leaves_none_open(subject: Subject, tmp_path: Path) -> None:
    class Closes(Watcher):
        closed = 0

        def close(self, files: Sequence[Path] = ()) -> None:
            type(self).closed += 1

    (tmp_path / "file").write_text("")
    with (
        WATCHERS.temporarily("closes", lambda subject, place: Closes()),
        pytest.raises(SpecError, match=r"--tensorboard .*file: .*Choose another folder"),
    ):
        Watchers.open(subject, {"closes": "", "tensorboard": str(tmp_path / "file")})
    assert Closes.closed == 1


def test_the_registry_imports_no_package_of_a_watcher() -> None:
    code = (
        "import sys\nfrom ablations.runner.watchers import WATCHERS\n"
        "before = set(sys.modules)\nprint(*WATCHERS)\n"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    kinds, imported = done.stdout.splitlines()
    assert {"mlflow", "tensorboard"} <= set(kinds.split())
    assert not {"mlflow", "tensorflow", "tensorboard"} & set(imported.split())


def test_an_unknown_watcher_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "watched.toml"
    file.write_text(STUDY)
    command = ["run", str(file), "--results", str(tmp_path / "r"), "--executor", "inline"]
    assert main([*command, "--watch", "tensorbord=board"]) == 2
    assert "unknown watcher 'tensorbord': did you mean 'tensorboard'?" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["watched.toml"]


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ([], {}),
        (["--watch", "tensorboard"], {"tensorboard": ""}),
        (["--tensorboard"], {"tensorboard": ""}),
        (
            ["--watch", "mlflow=http://host/?a=b", "--tensorboard", "d"],
            {"mlflow": "http://host/?a=b", "tensorboard": "d"},
        ),
        (["--mlflow", "--watch", "mine=x"], {"mlflow": "", "mine": "x"}),
    ],
)
def test_an_option_of_its_own_is_short_for_watch(words: list[str], places: dict[str, str]) -> None:
    assert dict(_parser().parse_args(["run", "quick", *words]).watch) == places


def test_a_study_is_watched_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "watched.toml"
    file.write_text(STUDY)
    command = ["run", str(file), "--results", str(tmp_path / "r"), "--executor", "inline", "--no-pdf"]
    assert main([*command, "--watch", f"tensorboard={tmp_path / 'board'}"]) == 0
    ((name, found),) = [(path.name, points(path)) for path in (tmp_path / "board").iterdir()]
    record = Store(tmp_path / "r" / "watched").read(name)
    assert record is not None
    assert [step for step, _ in found["epoch/loss"]] == [1, 2, 3]
    assert float(found["metric/mse"][0][1]) == pytest.approx(record.metrics["mse"])
    assert set(found) >= {"examples", "reconstructions", "samples"}
