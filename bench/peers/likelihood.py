"""The importance-weighted bound by us and by pythae, of the same weights: `python -m bench.peers.likelihood`.

A dense VAE of ours is trained on digits in black and white with a Bernoulli likelihood. Its weights go into PyTorch's
layers, and pythae's `get_nll` gives log (1/K sum_k p(x|z_k) p(z_k) / q(z_k|x)) of test images by its own draws and its
own formulas. Printed: both means, and their paired difference with its standard error.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.peers._environments import prepare
from vae.datasets import load
from vae.errors import VaebenchError
from vae.metrics import METRICS, Outcome
from vae.metrics.likelihood import nll_iw
from vae.networks.dense import DenseVAE
from vae.spec import RunSpec

__all__ = ["DRAWS", "IMAGES", "NETWORK", "main", "ours", "theirs"]

ROOT = Path(__file__).parents[2]
NETWORK = DenseVAE(latent_dim=4)
DRAWS, IMAGES = 1000, 200
RUN = {
    "data": {"name": "digits", "binarize": 0.5},
    "model": NETWORK.settings(),
    "loss": {"reconstruction": {"likelihood": "bernoulli"}, "kl": {"weight": 1.0}},
    "train": {"epochs": 20},
}

Values = NDArray[np.float64]


def ours(draws: int, images: int) -> tuple[Values, dict[str, NDArray[Any]]]:
    """Train the model, and return our bound of each image, in nats, with the weights and images for others."""
    from vae.training import train

    spec = RunSpec.parse(RUN, "run")
    data = load(spec.data)
    trained = train(spec, data)
    outcome = Outcome(trained.model, data, spec)
    found = np.asarray(nll_iw.compute(outcome, draws=draws, images=images), dtype=np.float64)
    arrays = {"images": outcome.images[outcome.spread(images)]}
    for name, part in (("encoder", trained.model.encoder), ("decoder", trained.model.decoder)):
        layers = [layer for layer in part.layers if layer.weights]
        for place, layer in enumerate(layers):
            kernel, bias = layer.get_weights()
            arrays |= {f"{name}_{place}": kernel, f"{name}_{place}_bias": bias}
    return found, arrays


def theirs(python: Path, arrays: dict[str, NDArray[Any]], draws: int) -> Values:
    """Return pythae's bound of each image, in nats.

    Raises:
        VaebenchError: it came to nothing; the message has its last lines.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(given, allow_pickle=False, **arrays)
        words = [str(python), "-m", "bench.peers.pythae_likelihood", str(given), str(out), str(draws)]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - ours
        if done.returncode:
            raise VaebenchError(f"pythae's bound came to nothing: {done.stderr[-1000:]}")
        return np.asarray(np.load(out), dtype=np.float64)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both means and their difference."""
    parser = argparse.ArgumentParser(prog="python -m bench.peers.likelihood", description=__doc__)
    parser.add_argument("--draws", type=int, default=DRAWS, help=f"K (default: {DRAWS})")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"of the test split (default: {IMAGES})")
    parser.add_argument("--environments", type=Path, default=Path(".nox/peers"), help="where pythae's is made")
    options = parser.parse_args(arguments)
    place = prepare(options.environments.resolve() / "pythae")
    if place.python is None:
        raise VaebenchError(f"pythae can't be had here: {place.reason}")
    mine, arrays = ours(options.draws, options.images)
    other = theirs(place.python, arrays, options.draws)
    difference = mine - other
    error = difference.std(ddof=1) / np.sqrt(len(difference))
    sys.stdout.write(
        f"{METRICS['nll_iw'].label}, {options.draws} draws, {options.images} images, nats: ours {mine.mean():.3f}, "
        f"pythae's {other.mean():.3f}; difference {difference.mean():+.4f}, standard error {error:.4f}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
