"""A trained model, back from its file: nothing but a `VAE` is read, and no code that the file may bring is run."""

import json
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import keras
import numpy as np

from vae.cost import cost
from vae.environment import keras_defaults
from vae.errors import DataError, SpecError
from vae.layers import Shape
from vae.model import VAE
from vae.networks import NETWORKS, LayeredNetwork
from vae.plugins import load_plugin

__all__ = ["load_model"]

_SUFFIX = ".keras"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_CLASS = {"module": VAE.__module__, "class_name": VAE.__name__, "registered_name": f"vaebench>{VAE.__name__}"}
_LARGEST_CONFIG = 2**20  # bytes
_MOST_CLASSES = 100_000
_MOST_LAYERS = 256  # of a list of them; Keras takes seconds to build these, and without end to build thousands
_BYTES = 4  # of a float32
_COPIES = 4  # the weights, and what the optimiser keeps of each; at most, or it is no model but a zip bomb
_SLACK = 2**24  # bytes that the weights' file may take beside the numbers


@keras_defaults()
def load_model(path: str | Path, plugins: Iterable[str | Path] = ()) -> VAE:
    """Return the trained model that a study, or `VAE.save`, left in a file.

    The file is read as data: its description must be that of a `VAE` made of registered parts, its weights must be
    the numbers which that description asks for, and Keras loads it in safe mode. It encodes and decodes to the bits of
    the model that was saved; to train it further, `compile` it.

    >>> model = load_model("results/quick/trials/NAME/model.keras")                  # doctest: +SKIP
    >>> z_mean, z_log_var = model.encode(images)                                     # doctest: +SKIP
    >>> images = model.decode(z_mean)                                                # doctest: +SKIP

    Args:
        plugins: the files of code that brought the parts which the model is made of; they are run, so name none that
            you don't trust. A study keeps copies of its own in `plugins/` of its results.
        path: a `.keras` file; the older formats `.h5` and SavedModel, which can bring code along, are refused.

    Raises:
        DataError: there is no such file, it is damaged, it holds something else than a `VAE`, or one of parts that are
            not known here.
        PluginError: a plugin can't be run.
    """
    path = Path(path)
    for plugin in plugins:
        load_plugin(plugin)
    if path.suffix != _SUFFIX:
        raise DataError(f"{path}: got a name ending in '{path.suffix}', expected a model saved as '{_SUFFIX}'")
    try:
        _check(path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}. {_HOW}") from None
    except Exception as error:
        # Whatever Keras and HDF5 make of a damaged file: their errors are of many kinds.
        raise DataError(f"{path}: no model could be made of it ({type(error).__name__}: {error}). {_HOW}") from error
    if not isinstance(model, VAE):
        raise DataError(f"{path}: got a {type(model).__name__}, expected a VAE. {_HOW}")
    for variable in model.variables:
        if not np.isfinite(keras.ops.convert_to_numpy(variable).astype(np.float64)).all():
            raise DataError(f"{path}: {variable.path} holds values that are no finite numbers. {_HOW}")
    return model


_HOW = "Give the model.keras of a finished trial; if that is damaged, delete the trial's folder and run its study again"


def _check(path: Path) -> None:
    """Refuse a damaged file, and one that describes anything but a `VAE`, before Keras sees it."""
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {member.filename: member.file_size for member in archive.infolist()}
            if missing := {_CONFIG, _WEIGHTS} - sizes.keys():
                raise DataError(f"{path}: no {' and no '.join(sorted(missing))} in it: this is no saved model. {_HOW}")
            if sizes[_CONFIG] > _LARGEST_CONFIG:
                raise DataError(f"{path}: {_CONFIG} has {sizes[_CONFIG]:,} bytes, expected {_LARGEST_CONFIG:,} at most")
            expected = _parameters(path, json.loads(archive.read(_CONFIG))) * _BYTES
            got, whole = sizes[_WEIGHTS], sum(sizes.values())
            if got < expected or whole > _COPIES * expected + _SLACK:
                raise DataError(
                    f"{path}: it unpacks to {whole:,} bytes, {got:,} of them weights, and its description asks for "
                    f"{expected:,}. {_HOW}"
                )
            if damaged := archive.testzip():
                raise DataError(f"{path}: {damaged} is damaged: its checksum is wrong. {_HOW}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: damaged, or no saved model: {error}. {_HOW}") from None


def _classes(config: Mapping[str, Any]) -> int:
    classes = int(config.get("classes", 0))
    if not 0 <= classes <= _MOST_CLASSES:
        raise ValueError(f"it has {classes:,} classes, expected {_MOST_CLASSES:,} at most")
    return classes


def _check_lengths(value: object) -> None:
    """Refuse a description with a longer list of layers than anybody trains.

    Raises:
        ValueError: with its length.
    """
    if isinstance(value, list) and len(value) > _MOST_LAYERS:
        raise ValueError(f"it lists {len(value):,} values, expected {_MOST_LAYERS} layers at most")
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for one in inner:
        _check_lengths(one)


def _parameters(path: Path, description: Any) -> int:
    """Return how many numbers the described model is made of.

    Raises:
        DataError: another class is described, or a `VAE` of parts that are not known.
    """
    got = description.get("class_name") if isinstance(description, Mapping) else description
    if not isinstance(description, Mapping) or any(description.get(key) != name for key, name in _CLASS.items()):
        raise DataError(f"{path}: got a model of class {got!r:.60}, expected a VAE of vaebench. {_HOW}")
    try:
        config = description["config"]
        shape: Shape = tuple(int(side) for side in config["shape"])
        _check_lengths(config)
        network = NETWORKS[config["network"]["name"]].parse(config["network"], "network")
        classes = _classes(config)
        if isinstance(network, LayeredNetwork):
            # By its layers alone, at least so many: nothing is built of a description that the weights don't fit.
            labels = classes * prod(shape) if network.conditional else 0
            return cost(network.model_copy(update={"conditional": False}), shape).parameters + labels
        return sum(int(np.prod(variable.shape)) for variable in VAE.from_config(config).variables)
    except (SpecError, KeyError, TypeError, ValueError, ArithmeticError, IndexError) as error:
        own = " If a file of your own brings that part, give it as plugins=[FILE]." if "unknown" in str(error) else ""
        raise DataError(f"{path}: its description of a VAE is wrong: {error}.{own} {_HOW}") from None
