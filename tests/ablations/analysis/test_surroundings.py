"""What two trials were not made alike with, in words; what nobody recorded is not made up."""

from ablations.analysis.surroundings import Difference, differences, mixed
from ablations.records.record import Record

BEFORE = {
    "host": "here",
    "backend": "tensorflow",
    "gpu": None,
    "threads": 1,
    "packages": {"keras": "3.15.0", "numpy": "2.4.0"},
    "arithmetic": {"TF_ENABLE_ONEDNN_OPTS": "0"},
}


def test_each_thing_that_may_move_a_number_is_told_as_before_and_after() -> None:
    after = BEFORE | {
        "host": "there",  # the same machine by another name computes the same
        "gpu": "H100",
        "threads": 2,
        "packages": {"keras": "3.16.0", "jax": "0.5.0", "numpy": "2.4.0"},
        "arithmetic": {"XLA_FLAGS": "--xla_cpu_enable_fast_math=true"},
    }
    assert list(differences(BEFORE, after)) == [
        Difference("gpu", "none", "H100"),
        Difference("threads", "1", "2"),
        Difference("keras", "3.15.0", "3.16.0"),
        Difference("jax", "not installed", "0.5.0"),
        Difference("TF_ENABLE_ONEDNN_OPTS", "0", "not set"),
        Difference("XLA_FLAGS", "not set", "--xla_cpu_enable_fast_math=true"),
    ]
    assert list(differences(BEFORE, BEFORE)) == []


def test_of_an_older_record_only_what_is_set_now_is_told() -> None:
    older = {"threads": 1, "packages": {"keras": "3.15.0", "numpy": "2.4.0"}}
    assert list(differences(older, BEFORE)) == [Difference("TF_ENABLE_ONEDNN_OPTS", "not recorded", "0")]
    assert list(differences(older, BEFORE | {"arithmetic": {}})) == []


def test_backends_are_counted_over_trials_that_are_done() -> None:
    def trial(backend: str | None, status: str = "done") -> Record:
        return Record("t", "", {}, status, environment={"backend": backend} if backend else {})

    assert mixed([trial("jax"), trial("tensorflow"), trial("tensorflow")]) == "2 trials by tensorflow, 1 trial by jax"
    assert mixed([trial("tensorflow"), trial("jax", "failed"), trial(None)]) == ""
