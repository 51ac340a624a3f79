"""Plugins that are broken in every way: the file and the line are named, and nothing else is lost."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from catalogue import Told, command, kept

from ablations.records.store import Store

Fault = Callable[[Told, str, str], None]

ROOT = Path(__file__).parents[2]
HEAD = """import keras
import numpy as np
import vaebench as vb

"""
NETWORK = """@vb.network("mine")
def mine(shape, latent_dim{arguments}):
    {first}
    image, z = keras.Input(shape), keras.Input((latent_dim,))
    features = keras.layers.Dense(8)(keras.layers.Flatten()(image))
    y = keras.layers.Dense({pixels}, activation="sigmoid")(z)
    return keras.Model(image, features), keras.Model(z, keras.layers.Reshape((8, 8, 1))(y))
"""
STUDY = """
plugins = ["mine.py"]
[fixed]
data.limit = 64
data.test_limit = 32
epochs = 1
[axes]
model = {models}
{more}
"""


def network(arguments: str = "", first: str = "pass", pixels: int = 64) -> str:
    return HEAD + NETWORK.format(arguments=arguments, first=first, pixels=pixels)


def run(plugin: str, *words: str, models: str = '["dense_vae", "mine"]', more: str = "", inline: bool = True) -> Told:
    Path("mine.py").write_text(plugin, encoding="utf-8")
    Path("mine.toml").write_text(STUDY.format(models=models, more=more), encoding="utf-8")
    return command("run", "mine.toml", *words, inline=inline)


@pytest.mark.parametrize(
    "plugin",
    [
        pytest.param(f"{HEAD}def mine(:\n", marks=pytest.mark.fault("plugins", "a plugin is no Python (run)")),
        pytest.param(
            f"{HEAD}import not_there\n", marks=pytest.mark.fault("plugins", "a plugin imports what is not installed")
        ),
        pytest.param(
            network(", width"), marks=pytest.mark.fault("plugins", "a setting of a network of one's own has no default")
        ),
        pytest.param(
            network(", act=lambda x: x"),
            marks=pytest.mark.fault("plugins", "the default of a setting is a function, which no study can hold"),
        ),
        pytest.param(
            network().replace('"mine"', '"conv"'),
            marks=pytest.mark.fault("plugins", "a plugin's part has the name of one of ours"),
        ),
        pytest.param(f"{HEAD}exit(3)\n", marks=pytest.mark.fault("plugins", "a plugin ends the program")),
    ],
)
def test_a_plugin_that_can_not_be_loaded(plugin: str, fault: Fault) -> None:
    told = run(plugin)
    said = told.line()
    assert "mine.py, line " in said
    assert not Path("results").exists()
    ours = re.sub(r"line \d+ and", "line N and", said.replace(f"{ROOT}{os.sep}", "site-packages/"))
    fault(told, ours, "nothing is written")


@pytest.mark.fault("plugins", "a study names a plugin that is not there")
def test_a_plugin_that_is_not_there(fault: Fault) -> None:
    Path("mine.toml").write_text(STUDY.format(models='["mine"]', more=""), encoding="utf-8")
    told = command("run", "mine.toml")
    fault(told, told.line(), "nothing is written")


@pytest.mark.parametrize(
    ("plugin", "status"),
    [
        pytest.param(
            network(pixels=64).replace("Reshape((8, 8, 1))", "Reshape((4, 16, 1))"),
            "failed",
            marks=pytest.mark.fault("plugins", "the decoder makes images of another shape"),
        ),
        pytest.param(
            network(first="raise RuntimeError('a bug')"),
            "failed",
            marks=pytest.mark.fault("plugins", "a plugin's network has a bug"),
        ),
        pytest.param(
            network(first="exit(3)"),
            "failed",
            marks=pytest.mark.fault("plugins", "a plugin's network ends the program as it is built"),
        ),
        pytest.param(
            network().replace("Dense(64", "Dense(64, bias_initializer=keras.initializers.Constant(np.nan)"),
            "diverged",
            marks=pytest.mark.fault("plugins", "a plugin's network gives NaN, and so does the loss"),
        ),
    ],
)
def test_a_part_that_breaks_in_training(plugin: str, status: str, fault: Fault) -> None:
    told = run(plugin)
    fault(told, told.line(f"{status} mine-"), kept(Store(Path("results/mine"))))


@pytest.mark.fault("plugins", "a plugin's network never ends (`--timeout`)")
def test_a_part_that_never_ends(fault: Fault) -> None:
    told = run(network(first="while True: pass"), "--timeout", "5", "--workers", "1", models='["mine"]', inline=False)
    fault(told, told.line("timeout mine-"), kept(Store(Path("results/mine"))))


@pytest.mark.fault("plugins", "a plugin prints, in a worker process whose output is its events")
def test_a_plugin_that_prints(fault: Fault) -> None:
    told = run(f'print("hello")\n{network(first="print(shape)")}', "--workers", "1", models='["mine"]', inline=False)
    assert "hello" in told.output, "as it is loaded here"
    fault(told, told.line("next: open "), kept(Store(Path("results/mine"))))


@pytest.mark.fault("plugins", "a metric of one's own has a bug")
def test_a_metric_that_fails_costs_its_number_alone(fault: Fault) -> None:
    plugin = f'{HEAD}@vb.metric("mine", "mine")\ndef mine(outcome):\n    return outcome.nothing\n'
    told = run(plugin, models='["dense_vae"]', more='[evaluate]\nmetrics = ["default", "mine"]')
    store = Store(Path("results/mine"))
    record = store.read(store.names()[0])
    assert record is not None
    assert "mine" not in record.metrics
    assert "mse" in record.metrics
    Path("mine.py").write_text(plugin.replace("outcome.nothing", "1.5"), encoding="utf-8")
    again = command("evaluate", "results/mine", "--plugin", "mine.py", "--executor", "inline")
    assert again.code == 0
    mended = store.read(record.trial)
    assert mended is not None
    assert mended.metrics == {**record.metrics, "mine": 1.5}
    fault(told, told.line("not measured "), f"{kept(store)}; `vaebench evaluate` measures it once it is mended")


@pytest.mark.parametrize(
    ("plugin", "title"),
    [
        pytest.param(
            network(first="np.random.seed(None)").replace(
                "Dense(8)", "Dense(8, kernel_initializer=lambda shape, dtype: np.random.random(shape))"
            ),
            "two trainings from one seed",
            marks=pytest.mark.fault("plugins", "a plugin draws random numbers that no seed sets (`vaebench check`)"),
        ),
        pytest.param(
            f'import keras\nkeras.config.set_dtype_policy("float64")\n{network()}',
            "it changes Keras'",
            marks=pytest.mark.fault("plugins", "a plugin changes Keras' settings for everybody (`vaebench check`)"),
        ),
    ],
)
def test_what_a_check_finds(plugin: str, title: str, fault: Fault) -> None:
    from vae.environment import keras_defaults

    plugin = plugin.replace("Dense(64,", "Dense(int(np.prod(shape)),").replace("Reshape((8, 8, 1))", "Reshape(shape)")
    Path("mine.py").write_text(plugin, encoding="utf-8")
    with keras_defaults():
        told = command("check", "mine.py")
    said = next(line for line in told.output.splitlines() if "broken" in line and title in line)
    fault(told, said.strip(), "nothing is written")


@pytest.mark.fault("plugins", "a plugin never ends as it is checked (`vaebench check --timeout`)")
def test_a_check_that_never_ends(fault: Fault) -> None:
    Path("mine.py").write_text(f"{HEAD}\nwhile True: pass\n", encoding="utf-8")
    words = [sys.executable, "-m", "vaebench", "check", "mine.py", "--timeout", "10"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    told = Told(ended.returncode, ended.stdout, ended.stderr)
    said = next(line for line in told.errors.splitlines() if "mine.py" in line)
    fault(told, said.strip(), "nothing is written")
