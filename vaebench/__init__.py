"""The public face of vaebench: what one imports to run studies, single trainings, or parts of one's own.

>>> import vaebench as vb
>>> vb.run(vb.Study.load("quick")).summary[["model", "mse_mean"]]                           # doctest: +SKIP
>>> trained = vb.train(vb.RunSpec.parse({"model": {"name": "conv", "latent_dim": 8}}, "run"))   # doctest: +SKIP
>>> vb.evaluate(trained).metrics["mse"]                                                     # doctest: +SKIP
0.02

Nothing is imported but what is asked for: `import vaebench` takes milliseconds, and the first training waits for
TensorFlow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablations.commands.report import report
    from ablations.records.record import Record
    from ablations.records.store import Store
    from ablations.runner.collect import Collected
    from ablations.runner.crew import Crew
    from ablations.runner.run import run
    from ablations.search.tune import tune
    from ablations.study.designs import DESIGNS, Design
    from ablations.study.study import Study
    from ablations.study.trial import Trial
    from vae.datasets import DATASETS, Data, Dataset, DataSpec, Decoded, Opened, Split, load
    from vae.errors import DataError, DivergedError, PluginError, SpecError, VaebenchError
    from vae.evaluation import Evaluation, evaluate
    from vae.features import FEATURES, FeatureSpace
    from vae.metrics import METRICS, Metric, Outcome, metric
    from vae.metrics.sample_quality import compared_in
    from vae.model import VAE
    from vae.networks import NETWORKS, LayeredNetwork, Network, network
    from vae.plugins import load_plugin
    from vae.posteriors import POSTERIORS, Posterior
    from vae.priors import PRIORS, Prior
    from vae.saved import load_model
    from vae.spec import RunSpec, TrainSpec
    from vae.terms import TERMS, Outputs, Term, frozen
    from vae.training import Trained, train

    __version__: str

_HOMES = {
    "ablations.commands.report": ("report",),
    "ablations.records.record": ("Record",),
    "ablations.records.store": ("Store",),
    "ablations.runner.collect": ("Collected",),
    "ablations.runner.crew": ("Crew",),
    "ablations.runner.run": ("run",),
    "ablations.search.tune": ("tune",),
    "ablations.study.designs": ("DESIGNS", "Design"),
    "ablations.study.study": ("Study",),
    "ablations.study.trial": ("Trial",),
    "vae.datasets": ("DATASETS", "Data", "DataSpec", "Dataset", "Decoded", "Opened", "Split", "load"),
    "vae.errors": ("DataError", "DivergedError", "PluginError", "SpecError", "VaebenchError"),
    "vae.evaluation": ("Evaluation", "evaluate"),
    "vae.features": ("FEATURES", "FeatureSpace"),
    "vae.metrics": ("METRICS", "Metric", "Outcome", "metric"),
    "vae.metrics.sample_quality": ("compared_in",),
    "vae.model": ("VAE",),
    "vae.networks": ("NETWORKS", "LayeredNetwork", "Network", "network"),
    "vae.plugins": ("load_plugin",),
    "vae.posteriors": ("POSTERIORS", "Posterior"),
    "vae.priors": ("PRIORS", "Prior"),
    "vae.saved": ("load_model",),
    "vae.spec": ("RunSpec", "TrainSpec"),
    "vae.terms": ("TERMS", "Outputs", "Term", "frozen"),
    "vae.training": ("Trained", "train"),
}

__all__ = [
    "DATASETS",
    "DESIGNS",
    "FEATURES",
    "METRICS",
    "NETWORKS",
    "POSTERIORS",
    "PRIORS",
    "TERMS",
    "VAE",
    "Collected",
    "Crew",
    "Data",
    "DataError",
    "DataSpec",
    "Dataset",
    "Decoded",
    "Design",
    "DivergedError",
    "Evaluation",
    "FeatureSpace",
    "LayeredNetwork",
    "Metric",
    "Network",
    "Opened",
    "Outcome",
    "Outputs",
    "PluginError",
    "Posterior",
    "Prior",
    "Record",
    "RunSpec",
    "SpecError",
    "Split",
    "Store",
    "Study",
    "Term",
    "TrainSpec",
    "Trained",
    "Trial",
    "VaebenchError",
    "compared_in",
    "evaluate",
    "frozen",
    "load",
    "load_model",
    "load_plugin",
    "metric",
    "network",
    "report",
    "run",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, and keep it.

    Raises:
        ImportError: the packages behind it are not its own; the message says what is in their place.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("vaebench")
    for home, names in _HOMES.items():
        if name in names:
            import_module("vaebench._own").check()
            value = globals()[name] = getattr(import_module(home), name)
            return value
    raise AttributeError(f"module 'vaebench' has no attribute '{name}'")


def __dir__() -> list[str]:
    """Return the public names, those not yet imported too."""
    return sorted({*__all__, "__version__", *(name for name in globals() if name.startswith("__"))})
