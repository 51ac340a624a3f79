"""A model comes back from its file to the bit; anything else that calls itself a model is refused, and not run."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras.src.saving.serialization_lib import SafeModeScope

from vae import VAE, DataError, RunSpec, load_model
from vae.networks import NETWORKS
from vae.plugins import forget, load_plugin

SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).random((5, *SHAPE), dtype=np.float32)


def build(**network: Any) -> VAE:
    spec = RunSpec.parse({"model": {"latent_dim": 3} | network}, "")
    return VAE(spec.model, spec.loss, SHAPE)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    build(name="dense_vae", hidden_units=[8]).save(path)
    return path


def repacked(saved: Path, path: Path, **members: Callable[[bytes], bytes]) -> Path:
    """Copy a model file with some of its members changed."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = members.get(name.partition(".")[0], bytes)
            new.writestr(name, change(old.read(name)))
    return path


def described(**changes: Any) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        description = json.loads(text)
        for dotted, value in changes.items():
            *path, leaf = dotted.split("__")
            place = description
            for part in path:
                place = place[part]
            place[leaf] = value
        return json.dumps(description).encode()

    return change


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_model_comes_back_to_the_bit(name: str, tmp_path: Path) -> None:
    model = build(name=name)
    model.save(tmp_path / "model.keras")
    again = load_model(str(tmp_path / "model.keras"))
    codes = model.encode(IMAGES)
    for ours, theirs in zip(codes, again.encode(IMAGES), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.decode(codes[0]), again.decode(codes[0]))
    assert again.get_config() == model.get_config()


def test_code_in_a_file_is_refused_and_not_run(saved: Path, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    marshalled = keras.layers.Lambda(eval(f"lambda x: (open({str(canary)!r}, 'w').close(), x)[1]"))  # noqa: S307 - ours
    evil = keras.Sequential([keras.Input((4,)), marshalled])
    canary.unlink(missing_ok=True)  # building the model ran it: here it is code
    evil.save(tmp_path / "lambda.keras")
    layer = json.loads(zipfile.ZipFile(tmp_path / "lambda.keras").read("config.json"))["config"]["layers"][1]
    call = {"module": "os", "class_name": "system", "config": f"touch {canary}", "registered_name": None}
    files = [
        tmp_path / "lambda.keras",
        repacked(saved, tmp_path / "renamed.keras", config=described(class_name="system", module="os")),
        repacked(saved, tmp_path / "called.keras", config=lambda _: json.dumps(call).encode()),
        repacked(saved, tmp_path / "network.keras", config=described(config__network=layer)),
        repacked(saved, tmp_path / "loss.keras", config=described(config__loss={"kl": layer})),
        repacked(saved, tmp_path / "setting.keras", config=described(config__network__hidden_units=[call])),
    ]
    with SafeModeScope(safe_mode=False):  # what a notebook may have asked of Keras before
        for file in files:
            with pytest.raises(DataError, match=file.name):
                load_model(file)
    assert not canary.exists()
    keras.saving.load_model(files[0], safe_mode=False)
    assert canary.exists(), "the file holds what the test says"


def test_another_keras_model_is_refused_by_its_name(tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(tmp_path / "other.keras")
    with pytest.raises(DataError, match=r"got a model of class 'Sequential', expected a VAE of vaebench"):
        load_model(tmp_path / "other.keras")


def test_optimisers_and_losses_that_a_file_names_are_not_made(saved: Path, tmp_path: Path) -> None:
    call = {"optimizer": {"module": "os", "class_name": "system", "config": "true", "registered_name": None}}
    file = repacked(saved, tmp_path / "compiled.keras", config=described(compile_config=call))
    assert load_model(file).compiled is False


@pytest.mark.parametrize("size", [0, 1, 100, -1, -100])
def test_a_torn_file_is_a_clear_error(saved: Path, tmp_path: Path, size: int) -> None:
    torn = tmp_path / "model.keras"
    torn.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(DataError, match=r"model\.keras: damaged, or no saved model: .*run its study again"):
        load_model(torn)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(saved.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    spoilt = tmp_path / "model.keras"
    spoilt.write_bytes(content)
    try:
        model = load_model(spoilt)
    except DataError as error:
        assert "model.keras" in str(error)  # noqa: PT017 - either outcome is fine, a third is not
    else:
        np.testing.assert_array_equal(model.encode(IMAGES)[0], load_model(saved).encode(IMAGES)[0])


def test_a_file_that_asks_for_more_than_it_holds_is_refused(saved: Path, tmp_path: Path) -> None:
    for name, (member, message) in {
        "giant": ({"config": described(config__network__latent_dim=10**9)}, "its description asks for"),
        "larger": ({"config": described(config__shape=[800, 800, 3])}, "its description asks for"),
        "bomb": ({"model": lambda weights: weights + bytes(2**25)}, "it unpacks to 33,"),
        "assets": ({"metadata": lambda _: bytes(2**25)}, "it unpacks to 33,"),
        "empty": ({"model": lambda _: b""}, "0 of them weights"),
        "wordy": ({"config": lambda text: text + b" " * 2**21}, "expected 1,048,576 at most"),
        "long": ({"config": described(config__network__hidden_units=[1] * 100_000)}, "it lists 100,000 values"),
        "deep": ({"config": lambda _: b"[" * 100_000}, "no saved model: maximum recursion"),
    }.items():
        with pytest.raises(DataError, match=rf"{name}\.keras: .*{message}"):
            load_model(repacked(saved, tmp_path / f"{name}.keras", **member))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    model = build(name="dense_vae", hidden_units=[8])
    weights = model.get_weights()
    next(one for one in weights if one.ndim > 1)[0, 0] = value
    model.set_weights(weights)
    model.save(tmp_path / "model.keras")
    with pytest.raises(DataError, match=r"model\.keras: .* holds values that are no finite numbers"):
        load_model(tmp_path / "model.keras")


def test_spoilt_weights_are_found_by_their_checksum(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        kernel = load_model(saved).get_weights()[0].tobytes()
        assert archive.getinfo("model.weights.h5").compress_type == zipfile.ZIP_STORED
    spoilt = tmp_path / "model.keras"
    content = saved.read_bytes()
    assert content.count(kernel) == 1
    spoilt.write_bytes(content.replace(kernel, bytes(len(kernel))))
    with pytest.raises(DataError, match=r"model\.weights\.h5 is damaged: its checksum is wrong"):
        load_model(spoilt)


def test_what_is_no_saved_model_is_named(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.keras").mkdir()
    with zipfile.ZipFile(tmp_path / "zip.keras", "w") as archive:
        archive.writestr("x", "y")
    for name, message in {
        "folder.keras": "cannot be read: Is a directory",
        "nothing.keras": "cannot be read: No such file",
        "x" * 300 + ".keras": "cannot be read: File name too long",
        "zip.keras": r"no config.json and no model.weights.h5 in it",
        "model.h5": r"got a name ending in '.h5', expected a model saved as '.keras'",
    }.items():
        with pytest.raises(DataError, match=message):
            load_model(tmp_path / name)
    unknown = repacked(saved, tmp_path / "unknown.keras", config=described(config__network__name="dense_vea"))
    with pytest.raises(DataError, match="unknown model 'dense_vea': did you mean 'dense_vae'"):
        load_model(unknown)


def test_a_conditional_model_comes_back_and_asks_for_labels(tmp_path: Path) -> None:
    spec = RunSpec.parse({"model": {"name": "dense_vae", "latent_dim": 3, "conditional": True}}, "")
    model = VAE(spec.model, spec.loss, SHAPE, classes=4)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    labels = np.arange(5) % 4
    np.testing.assert_array_equal(again.reconstruct(IMAGES, labels), model.reconstruct(IMAGES, labels))
    assert again.classes == 4
    many = repacked(tmp_path / "model.keras", tmp_path / "many.keras", config=described(config__classes=10**9))
    with pytest.raises(DataError, match="it has 1,000,000,000 classes"):
        load_model(many)


def test_a_model_of_a_plugins_parts_asks_for_the_plugin(tmp_path: Path) -> None:
    plugin = Path(__file__).parents[1] / "plugins" / "subclassed.py"
    load_plugin(plugin)
    build(name="subclassed").save(tmp_path / "model.keras")
    forget()
    with pytest.raises(DataError, match=r"unknown model 'subclassed'.* give it as plugins=\[FILE\]"):
        load_model(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras", plugins=[plugin])
    assert again.network.name == "subclassed"
