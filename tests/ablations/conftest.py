"""The synthetic study, and one report of it that many tests read."""

from types import ModuleType

import pytest

from ablations.report import Rendered, render
from bench import synthetic


@pytest.fixture(scope="session")
def study() -> ModuleType:
    return synthetic


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> tuple[synthetic.Demo, Rendered]:
    demo = synthetic.demo()
    return demo, render(demo.source(), tmp_path_factory.mktemp("report"), embedding="pca")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[synthetic.Demo, Rendered]:
    """Every name in it tries to be something else than text."""
    names = synthetic.HOSTILE
    few = {"latents": (2,), "weights": (1e-4,), "ssim_weights": (0.0,), "seeds": (0,), "class_names": names}
    demo = synthetic.joined(
        synthetic.demo(dataset=names[0], models=("dense", names[1]), broken=False, **few),
        synthetic.demo(dataset=names[5], models=("dense", names[6]), broken=False, **few),
    )
    for trial in [one.trial for one in demo.records[2:]]:  # what is lost is left out, and costs no time here
        del demo.histories[trial], demo.arrays[trial]
    broken = vars(demo.records[-1]) | {"status": "failed", "reason": "\n".join(names), "metrics": {}, "timings": {}}
    demo.records.append(
        type(demo.records[-1])(**broken | {"trial": names[2], "axes": {**demo.records[-1].axes, "seed": 9}})
    )
    source = demo.source(
        name=names[4],
        title=" ".join(names),
        question=" ".join(reversed(names)),
        spec_text="\n".join(f"# {name}" for name in names),
        command=" ".join(names),
        baseline={"model": names[1]},
    )
    return demo, render(source, tmp_path_factory.mktemp("hostile"), embedding="pca")
