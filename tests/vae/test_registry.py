import importlib
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from vae.datasets import DATASETS
from vae.errors import PluginError, SpecError
from vae.metrics import METRICS
from vae.networks import NETWORKS
from vae.outcome import Outcome
from vae.plugins import forget, load_plugin, loaded
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


class Point:
    """An entry point of an installed distribution, or what is asked of one."""

    def __init__(self, name: str, module: str, attribute: str = "") -> None:
        self.name, self.module, self.attribute = name, module, attribute
        self.value = f"{module}:{attribute}"
        self.dist = SimpleNamespace(name="theirs", version="1.2")

    def load(self) -> Any:
        module = importlib.import_module(self.module)
        return getattr(module, self.attribute) if self.attribute else module


@pytest.fixture
def offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[Any]:
    """Return a registry that distributions offer entries to: one good, one by decorator, two broken, one taken."""
    (tmp_path / "of_theirs").mkdir()
    (tmp_path / "of_theirs" / "__init__.py").write_text("")
    (tmp_path / "their_part.py").write_text("class Part:\n    pass\n")
    (tmp_path / "their_other.py").write_text("from vae.registry import HERE\n\nHERE[0].register('other')(7)\n")
    (tmp_path / "their_broken.py").write_text("import sys\nsys.exit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    points = [
        Point("part", "their_part", "Part"),
        Point("other", "their_other"),
        Point("broken", "their_broken", "Part"),
        Point("empty", "their_part"),
        Point("part", "their_part", "Part"),
    ]
    monkeypatch.setattr("vae.registry.entry_points", lambda group: points if group == "vaebench.of_theirs" else [])
    registry: Registry[Any] = Registry("thing", "of_theirs")
    monkeypatch.setattr("vae.registry.HERE", [registry], raising=False)
    for name in ("their_part", "their_other", "their_broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return registry


def test_a_distribution_offers_entries_which_are_imported_when_they_are_asked_for(offered: Registry[Any]) -> None:
    assert offered["part"].__name__ == "Part"
    assert "their_other" not in sys.modules
    assert offered["other"] == 7
    assert offered.place("part").door == offered.place("other").door == "distribution"
    assert offered.origin("part").startswith("theirs 1.2 ")
    assert list(offered) == ["other", "part"]


def test_what_a_distribution_offers_and_is_broken_is_told(offered: Registry[Any]) -> None:
    assert len(offered) == 2
    assert offered.broken["broken"].startswith("SystemExit: 3 (")
    assert offered.broken["empty"] == "their_part: of theirs 1.2 registers no thing 'empty'"
    twice = offered.broken["part of theirs 1.2"]
    assert "is registered twice: in their_part:Part and by their_part:Part of theirs 1.2" in twice
    with pytest.raises(SpecError, match="thing 'broken' could not be imported: SystemExit: 3"):
        _ = offered["broken"]


def test_what_the_package_brings_is_never_replaced(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text("from vae.metrics import metric\n\n\n@metric('mse', 'mine')\ndef mse(outcome):\n    return 0.0\n")
    whole = METRICS["mse"]
    with pytest.raises(PluginError, match=r"mine.py, line 4: metric 'mse' is registered twice: in .*reconstruction.py"):
        load_plugin(plugin)
    assert METRICS["mse"] is whole
    assert loaded() == []


def test_a_plugin_that_changes_is_loaded_anew(tmp_path: Path) -> None:
    plugin = tmp_path / "mine.py"
    text = "from vae.metrics import metric\n\n\n@metric('mine', 'mine')\ndef mine(outcome):\n    return 1.0\n"
    plugin.write_text(text)
    first = load_plugin(plugin)
    entry, origin = METRICS["mine"], METRICS.origin("mine")
    assert load_plugin(plugin) == first
    assert METRICS["mine"] is entry
    plugin.write_text(text.replace("1.0", "2.0"))
    load_plugin(plugin)
    assert METRICS["mine"].measure(Outcome()) == 2.0
    assert METRICS.origin("mine") != origin
    assert METRICS.place("mine").door == "plugin"
    forget()
    assert "mine" not in METRICS


def test_two_plugins_with_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        text = "from vae.metrics import metric\n\n\n@metric('mine', 'mine')\ndef mine(outcome):\n    return 1.0\n"
        (tmp_path / f"{name}.py").write_text(text)
    load_plugin(tmp_path / "one.py")
    with pytest.raises(PluginError, match=r"two.py, line 4: .* in .*one.py, line 4 and in .*two.py, line 4. Rename"):
        load_plugin(tmp_path / "two.py")
