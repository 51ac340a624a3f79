from collections import namedtuple
from typing import Any

import numpy as np
import psutil
import pytest

from ablations import Crew
from ablations.records.record import Record
from vae.errors import SpecError

Memory = namedtuple("Memory", "available")  # noqa: PYI024 - as psutil gives it


@pytest.fixture(autouse=True)
def sixteen_gigabytes_free_and_64_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "virtual_memory", lambda: Memory(16e9))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)), raising=False)


def record(peak: float) -> Record:
    return Record("trial", "digest", {}, "done", timings={"peak_rss_mb": peak})


def test_as_many_workers_as_memory_holds() -> None:
    assert Crew().size([]) == (8, 8)
    assert Crew().size([record(900), record(3200)]) == (4, 16)
    assert Crew(memory=64e9).size([]) == (1, 64)  # one always may try
    assert Crew(memory=8e9).size([record(900), record(3200)]) == (2, 32)  # who says how much knows better
    assert Crew(workers=12).size([]) == (12, 5)  # who asks for more gets it


def test_cores_are_divided_among_workers() -> None:
    assert Crew(memory=1).size([]) == (64, 1)
    assert Crew(memory=1, workers=24).size([]) == (24, 2)
    assert Crew(memory=1, threads=32).size([]) == (2, 32)
    assert Crew(executor="inline").size([]) == (1, 64)
    assert Crew(executor="ray").size([]) == (0, 1)  # the cluster knows what it has room for


def test_who_is_hired_has_what_the_crew_says() -> None:
    hired = Crew(workers=3, timeout=60, gpus=0.5).hire([record(3200)])
    assert (hired.workers, hired.threads, hired.timeout) == (3, 21, 60)
    assert (hired.resources.gpus, hired.resources.memory) == (0.5, 4e9)
    far = Crew(executor="ray", memory=3e9, address="head:6379").hire([])
    assert (type(far).__name__, far.resources.memory, far.resources.address) == ("Ray", 3e9, "head:6379")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"executor": "procesess"}, "unknown executor 'procesess': did you mean 'processes'"),
        ({"workers": 0}, "--workers: got 0, expected a whole number of at least 1"),
        ({"workers": 2.0}, "--workers: got 2.0, expected a whole number"),
        ({"threads": True}, "--threads: got True, expected a whole number"),
        ({"retries": -1}, "--retries: got -1, expected a whole number of at least 0"),
        ({"memory": 0}, "--memory: got 0, expected a number of bytes above 0"),
        ({"timeout": float("nan")}, "--timeout: got nan, expected a number of seconds above 0"),
        ({"timeout": "60"}, "--timeout: got '60', expected a number of seconds above 0"),
        ({"gpus": -0.1}, "--gpus-per-trial: got -0.1, expected 0 to 1"),
        ({"gpus": 2.0}, "--gpus-per-trial: got 2.0, expected 0 to 1"),
        ({"gpus": float("nan")}, "--gpus-per-trial: got nan, expected 0 to 1"),
        ({"address": ""}, "--address: got '', expected auto, local, HOST:PORT"),
    ],
)
def test_what_nobody_can_work_with_is_refused_when_the_crew_is_made(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError) as refused:
        Crew(**settings)
    assert says in str(refused.value)


def test_numbers_of_every_kind_are_numbers() -> None:
    assert Crew(workers=np.int64(2), threads=np.int32(3), gpus=np.float64(0.25), retries=0).size([]) == (2, 3)


def test_what_an_executor_can_not_do_is_said_before_anything_starts() -> None:
    with pytest.raises(SpecError, match="'inline' can't stop a trial"):
        Crew(executor="inline", timeout=20).check()
    with pytest.raises(SpecError, match="'inline' trains on the GPU it sees"):
        Crew(executor="inline", gpus=0.5).check()
