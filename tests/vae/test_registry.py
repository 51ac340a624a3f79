import importlib
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from vae.datasets import DATASETS
from vae.errors import SpecError
from vae.metrics import METRICS
from vae.networks import NETWORKS
from vae.registry import Registry
from vae.terms import TERMS

ROOT = Path(__file__).parents[2]

HOME = """
from vae.registry import Registry

THINGS = Registry("thing", "things")


def thing(name):
    def wrap(made):
        return THINGS.register(name)(made())

    return wrap
"""


@pytest.fixture
def things(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Registry[object]]]:
    """Return a function that makes a folder of the given modules, and the registry of what they register."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**sources: str) -> Registry[object]:
        folder = tmp_path / "things"
        folder.mkdir()
        for name, source in {"__init__": "", "_home": HOME, **sources}.items():
            (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        importlib.invalidate_caches()
        home: ModuleType = importlib.import_module("things._home")
        found: Registry[object] = home.THINGS
        return found

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "things"]:
        del sys.modules[name]


def registers(name: str, then: str = "") -> str:
    return f"from things._home import THINGS\nTHINGS.register({name!r})({name!r})\n{then}\n"


@pytest.mark.parametrize("registry", [DATASETS, NETWORKS, TERMS, METRICS], ids=lambda one: one.kind)
def test_the_folder_is_the_registry(registry: Registry[Any]) -> None:
    modules = {getattr(entry, "compute", entry).__module__ for entry in registry.values()}
    folder = Path(str(importlib.import_module(next(iter(modules)).rpartition(".")[0]).__file__)).parent
    assert {module.rpartition(".")[2] for module in modules} == {
        path.stem for path in folder.glob("*.py") if not path.name.startswith("_")
    }


@pytest.mark.parametrize("registry", [DATASETS, NETWORKS, TERMS, METRICS], ids=lambda registry: registry.kind)
def test_every_module_of_the_folders_can_be_imported(registry: Registry[object]) -> None:
    assert registry.broken == {}
    assert registry.failures() == ""


def test_a_duplicate_names_both_places(things: Callable[..., Registry[object]], tmp_path: Path) -> None:
    registry = things(first=registers("one"), second=f"\n\n{registers('one')}")
    assert set(registry) == {"one"}
    first, second = (f"{tmp_path / 'things' / name}.py" for name in ("first", "second"))
    expected = f"thing 'one' is registered twice: in {first}, line 2 and in {second}, line 4. Rename one of the two"
    assert registry.broken == {"second": f"SpecError: {expected} ({second}, line 4)"}


def test_a_duplicate_raises_where_it_is_made() -> None:
    registry: Registry[int] = Registry("thing", "vae.terms")
    registry.register("one")(1)
    with pytest.raises(SpecError, match=rf"'one' is registered twice: in {__file__}, line \d+ and in {__file__}"):
        registry.register("one")(2)


def test_a_module_that_is_executed_again_replaces_its_entries(things: Callable[..., Registry[object]]) -> None:
    registry = things(one="from things._home import THINGS\n\n@THINGS.register('one')\nclass One: ...\n")
    before = registry["one"]
    importlib.reload(sys.modules["things.one"])
    assert registry["one"] is not before


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"unknown model 'cnov': did you mean 'conv'\? Known: conv, dense, dense_vae"):
        NETWORKS["cnov"]


BROKEN = {
    "absent": ("import no_such_module_anywhere\n", "ModuleNotFoundError: No module named 'no_such_module_anywhere'", 1),
    "garbled": ("x = 1\ndef f(:\n", "SyntaxError: invalid syntax", 2),
    "raising": ("\n\nraise RuntimeError('no licence')\n", "RuntimeError: no licence", 3),
    "wanting": (
        "from things._home import THINGS\nTHINGS['none']\n",
        "SpecError: unknown thing 'none': Known: alpha",
        2,
    ),
}


@pytest.mark.parametrize("name", list(BROKEN))
def test_a_module_that_does_not_import_fails_only_who_asks_for_it(
    name: str, things: Callable[..., Registry[object]], tmp_path: Path
) -> None:
    source, error, line = BROKEN[name]
    registry = things(**{"alpha": registers("alpha"), name: source, "zeta": registers("zeta")})
    for _ in range(2):  # the second time of a folder that was searched
        assert list(registry) == ["alpha", "zeta"]
        assert len(registry) == 2
        assert "alpha" in registry
        assert name not in registry
        assert (registry["alpha"], registry["zeta"]) == ("alpha", "zeta")
        told = f"{error} ({tmp_path / 'things' / name}.py, line {line})"
        assert registry.broken == {name: told}
        with pytest.raises(SpecError) as raised:
            registry[name]
        assert str(raised.value) == f"thing '{name}' could not be imported: {told}"
        with pytest.raises(SpecError) as raised:
            registry["alpah"]
        assert str(raised.value) == (
            f"unknown thing 'alpah': did you mean 'alpha'? Known: alpha, zeta\n"
            f"These files could not be imported: {name}: {told}"
        )


def test_what_a_module_registered_before_it_failed_is_no_entry(things: Callable[..., Registry[object]]) -> None:
    registry = things(half=registers("half", then="raise ValueError('later')"))
    assert list(registry) == []
    with pytest.raises(SpecError, match="thing 'half' could not be imported: ValueError: later"):
        registry["half"]


def test_modules_may_look_into_the_registry_while_it_is_searched(things: Callable[..., Registry[object]]) -> None:
    registry = things(
        alpha=registers("alpha"), beta=registers("beta", then="SEEN = list(THINGS)"), gamma=registers("gamma")
    )
    assert list(registry) == ["alpha", "beta", "gamma"]
    assert sys.modules["things.beta"].SEEN == ["alpha", "beta"]


def test_a_module_that_asks_while_it_is_imported_by_itself_is_found(things: Callable[..., Registry[object]]) -> None:
    early = "from things._home import THINGS\nBEFORE = list(THINGS)\nTHINGS.register('early')('early')\n"
    registry = things(early=early, late=registers("late"))
    assert importlib.import_module("things.early").BEFORE == ["late"]
    assert list(registry) == ["early", "late"]


def test_no_thread_sees_a_registry_that_is_half_filled(things: Callable[..., Registry[object]]) -> None:
    slow = "import time\ntime.sleep(0.05)\n"
    registry = things(
        a=slow + registers("a"), b=slow + registers("b", then="list(THINGS)"), c=slow + "raise ValueError('c')"
    )
    seen: list[tuple[list[str], list[str]]] = []
    start = threading.Barrier(8)

    def look() -> None:
        start.wait()
        seen.append((list(registry), list(registry.broken)))

    threads = [threading.Thread(target=look, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert seen == [(["a", "b"], ["c"])] * 8


def test_an_entry_that_is_there_for_a_while() -> None:
    conv, names = NETWORKS["conv"], set(NETWORKS)
    with NETWORKS.temporarily("mine", conv) as entry, NETWORKS.temporarily("conv", NETWORKS["dense"]):
        assert NETWORKS["mine"] is entry is conv
        assert NETWORKS["conv"] is NETWORKS["dense"]
        assert NETWORKS.source("mine") == Path(__file__)
    assert set(NETWORKS) == names
    assert NETWORKS["conv"] is conv
    assert NETWORKS.source("conv") == ROOT / "vae" / "networks" / "conv.py"


def test_what_was_there_comes_back_when_the_block_fails() -> None:
    with pytest.raises(KeyError), TERMS.temporarily("kl", TERMS["ssim"]):
        raise KeyError
    assert TERMS["kl"].__name__ == "KL"


def test_an_entry_for_a_while_does_not_hide_the_folder(things: Callable[..., Registry[object]]) -> None:
    registry = things(one=registers("one"))
    with registry.temporarily("one", "other"):  # before anything was searched
        assert registry["one"] == "other"
    assert registry["one"] == "one"
    assert registry.broken == {}


@pytest.mark.parametrize(
    ("registry", "name", "file"),
    [
        (NETWORKS, "dense_vae", "networks/dense.py"),
        (TERMS, "kl", "terms/kl.py"),
        (DATASETS, "celeba", "datasets/celeba.py"),
        (METRICS, "mse", "metrics/reconstruction.py"),  # by a decorator of its own
    ],
)
def test_an_entry_knows_the_file_that_registered_it(registry: Registry[object], name: str, file: str) -> None:
    assert registry.source(name) == ROOT / "vae" / file
    with pytest.raises(SpecError, match=f"unknown {registry.kind} '{name}x': did you mean '{name}'"):
        registry.source(f"{name}x")


def test_a_wrapper_beside_the_registry_is_not_the_source(
    things: Callable[..., Registry[object]], tmp_path: Path
) -> None:
    registry = things(mine="from things._home import thing\n\n@thing('mine')\ndef make():\n    return 1\n")
    assert registry["mine"] == 1
    assert registry.source("mine") == tmp_path / "things" / "mine.py"


def test_every_entry_is_documented() -> None:
    for registry in (NETWORKS, TERMS):
        for name, entry in registry.items():
            assert entry.__doc__, name
    for name, entry in METRICS.items():
        assert entry.compute.__doc__, name
        assert entry.label, name
