"""What a user's surroundings say is left aside where it would change numbers, and recorded where it may."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from vae.environment import arithmetic, describe, keras_defaults

TRAIN = """
import hashlib, json
from vae import RunSpec, evaluate, train
small = {"data": {"limit": 64, "test_limit": 32}, "train": {"epochs": 2}, "model": {"name": "conv", "latent_dim": 2}}
trained = train(RunSpec.parse(small, "run"))
weights = hashlib.sha256(b"".join(one.tobytes() for one in trained.model.get_weights())).hexdigest()
import keras
asked = [keras.config.floatx(), keras.config.image_data_format()]
print(json.dumps([len(trained.history), weights, evaluate(trained).metrics, keras.config.backend(), asked]))
"""


def trained(home: Path, **variables: str) -> list[object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KERAS_")}
    environment |= {"PYTHONPATH": str(Path(__file__).parents[2]), "KERAS_HOME": str(home), **variables}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, capture_output=True, text=True, check=True)
    found: list[object] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_keras_own_settings_do_not_change_a_run_and_stay_what_they_were(tmp_path: Path) -> None:
    """A limit of epochs would end it early, float16 and another epsilon give other numbers, channels first none."""
    *plain, asked = trained(tmp_path / "plain")
    assert (plain[0], plain[-1], asked) == (2, "tensorflow", ["float32", "channels_last"])
    theirs = {"floatx": "float16", "epsilon": 0.01, "backend": "jax", "image_data_format": "channels_first"}
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "keras.json").write_text(json.dumps(theirs))
    *same, asked = trained(tmp_path / "theirs", KERAS_MAX_EPOCHS="1", KERAS_MAX_STEPS_PER_EPOCH="1")
    assert same == plain
    assert asked == ["float16", "channels_first"]


@keras_defaults()
def fail() -> None:
    raise ZeroDivisionError(keras.config.dtype_policy().name)


def test_settings_come_back_after_an_error() -> None:
    before = keras.config.dtype_policy().name
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        with pytest.raises(ZeroDivisionError, match="float32"):
            fail()
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy(before)


def test_variables_that_change_arithmetic_are_recorded_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "NVIDIA_TF32_OVERRIDE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    before = describe(2)["arithmetic"]
    assert "OMP_NUM_THREADS" not in before, "it says what `threads` says"
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    set_now = {"TF_ENABLE_ONEDNN_OPTS": "0", "NVIDIA_TF32_OVERRIDE": "0", "MKL_NUM_THREADS": "7"}
    assert describe(2)["arithmetic"] == before | set_now


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="TensorFlow's own switch")
def test_the_precision_of_matrices_is_recorded_where_it_is_not_the_usual_one() -> None:
    import tensorflow as tf

    usual = arithmetic().get("matrix precision")
    tf.config.experimental.enable_tensor_float_32_execution(enabled=False)
    try:
        assert (usual, arithmetic()["matrix precision"]) == (None, "float32")
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(enabled=True)
