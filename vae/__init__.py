"""One run: a variational autoencoder described, trained and measured.

>>> from vae import RunSpec, train, evaluate              # doctest: +SKIP
>>> trained = train(RunSpec.parse({"model": {"name": "conv", "latent_dim": 8}}, "run"))     # doctest: +SKIP
>>> evaluate(trained).metrics["mse"]                        # doctest: +SKIP
0.02
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from vae.environment import configure

configure()  # before anything imports TensorFlow

if TYPE_CHECKING:
    from vae.datasets import Data, load
    from vae.errors import DataError, DivergedError, SpecError, VaebenchError
    from vae.evaluation import Evaluation, evaluate
    from vae.model import VAE
    from vae.saved import load_model
    from vae.spec import DataSpec, RunSpec, TrainSpec
    from vae.training import Trained, train

__all__ = [
    "VAE",
    "Data",
    "DataError",
    "DataSpec",
    "DivergedError",
    "Evaluation",
    "RunSpec",
    "SpecError",
    "TrainSpec",
    "Trained",
    "VaebenchError",
    "evaluate",
    "load",
    "load_model",
    "train",
]

_HOMES = {
    "vae.datasets": ("Data", "load"),
    "vae.errors": ("DataError", "DivergedError", "SpecError", "VaebenchError"),
    "vae.evaluation": ("Evaluation", "evaluate"),
    "vae.model": ("VAE",),
    "vae.saved": ("load_model",),
    "vae.spec": ("DataSpec", "RunSpec", "TrainSpec"),
    "vae.training": ("Trained", "train"),
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a command line that plans must not wait for TensorFlow."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'vae' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, those not yet imported too."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
