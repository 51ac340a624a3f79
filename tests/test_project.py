"""The project as a whole: what its files promise of one another."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from circles import circles
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ablations.cli import main
from ablations.study.study import Study

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PYPROJECT["project"]["version"]
LOCK = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PYTHONS = [
    classifier.rsplit(" ", 1)[-1]
    for classifier in PYPROJECT["project"]["classifiers"]
    if classifier.startswith("Programming Language :: Python :: 3.")
]
# The platform's own matter, not locked: see LOCKED_EXTRAS in noxfile.py.
UNLOCKED_EXTRAS = {"gpu", "torch"}


def named_requirements() -> Iterator[str]:
    """Yield every requirement of pyproject.toml that the lock must answer."""
    yield from PYPROJECT["build-system"]["requires"]
    yield from PYPROJECT["project"]["dependencies"]
    for extra, wanted in PYPROJECT["project"]["optional-dependencies"].items():
        if extra not in UNLOCKED_EXTRAS:
            yield from wanted
    for group in PYPROJECT["dependency-groups"].values():
        yield from group


def locked(python: str) -> dict[str, Version]:
    """Return name -> version as pip reads constraints.txt under that Python on Linux."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
        "os_name": "posix",
    }
    versions: dict[str, Version] = {}
    for line in re.sub(r" *\\\n *", " ", LOCK).splitlines():
        if line.startswith("#"):
            continue
        pin = Requirement(line.split(" --hash=", 1)[0])
        if pin.marker is None or pin.marker.evaluate(environment):
            name = canonicalize_name(pin.name)
            assert name not in versions, f"{name} is pinned twice for Python {python}"
            (specifier,) = pin.specifier
            versions[name] = Version(specifier.version)
    return versions


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_answers_pyproject(python: str) -> None:
    versions = locked(python)
    wanted = [Requirement(text) for text in named_requirements()]
    assert wanted
    lacking = []
    for requirement in wanted:
        version = versions.get(canonicalize_name(requirement.name))
        if version is None or version not in requirement.specifier:
            lacking.append(f"{requirement}: {version}")
    assert lacking == [], "constraints.txt does not answer these: run `nox -s lock`"


def test_lock_holds_names_versions_and_hashes_only() -> None:
    pin = re.compile(r"[a-z0-9-]+==[\w.]+( ; [^\\]+)?( \\)?")
    digest = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not (pin.fullmatch(line) or digest.fullmatch(line))] == []
    unhashed = [line for line in lines if pin.fullmatch(line) and not line.endswith("\\")]
    assert unhashed == []


def test_the_lock_that_is_checked_is_the_lock_that_is_made() -> None:
    (extras,) = (
        ast.literal_eval(node.value)
        for node in ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LOCKED_EXTRAS"
    )
    assert set(extras) | UNLOCKED_EXTRAS == set(PYPROJECT["project"]["optional-dependencies"])


PACKAGES = ("vae", "ablations", "bench", "vaebench")
FACES = ("vae", "ablations", "vaebench")  # packages whose names are imported when they are first used
LENT = {"vae.spec": {"DataSpec"}}  # all of a run's spec in one place, although the data sets own their part of it


def modules() -> Iterator[str]:
    """Yield the import name of every module of the packages."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if (path.parent / "__init__.py").exists() and path.name != "__main__.py":
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = list(modules())


@cache
def parsed(name: str) -> ast.Module:
    path = ROOT.joinpath(*name.split("."))
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text(encoding="utf-8"))


def defined(name: str) -> set[str]:
    """Return the functions and classes that a module defines at its top."""
    return {
        node.name
        for node in parsed(name).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def assigned(name: str) -> set[str]:
    """Return the constants and types that a module names at its top."""
    named = set()
    for node in parsed(name).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if hasattr(node, "target") else []
        named |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    return named


def taken(tree: ast.AST) -> set[tuple[str, str]]:
    """Return (module, name) of all that the code under a node imports by name."""
    return {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


def lazy(name: str) -> set[tuple[str, str]]:
    """Return (module, name) of what a package imports for type checkers, in `if TYPE_CHECKING:`."""
    blocks = [node for node in parsed(name).body if isinstance(node, ast.If)]
    return {pair for block in blocks if ast.unparse(block.test) == "TYPE_CHECKING" for pair in taken(block)}


def is_public(name: str) -> bool:
    return not name.startswith("_")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_exports_the_functions_and_classes_that_it_defines(name: str) -> None:
    """All without an underscore, and nothing that it has from elsewhere, unless it is a package: those pass names on.

    Constants and names of types may stay unlisted where their own module alone uses them: see the next test.
    """
    if len(parsed(name).body) <= 1:
        return  # a docstring alone exports nothing
    module = importlib.import_module(name)
    assert hasattr(module, "__all__"), f"{name} has no __all__"
    listed = set(module.__all__)
    assert len(listed) == len(module.__all__)
    assert set(filter(is_public, defined(name))) - listed == set(), "list them, or begin their names with an underscore"
    own = defined(name) | assigned(name) | LENT.get(name, set())
    if module.__file__ and Path(module.__file__).name == "__init__.py":
        own |= {taken_name for _, taken_name in taken(parsed(name))}
    assert listed - own == set(), "a name is exported where it is defined, or by the package"
    assert [export for export in listed if not hasattr(module, export)] == []


def test_what_one_module_takes_from_another_is_exported_there() -> None:
    private = [
        f"{user} takes {name} from {module}"
        for user in MODULES
        for module, name in sorted(taken(parsed(user)))
        if module in MODULES and f"{module}.{name}" not in MODULES and is_public(name)
        if name not in importlib.import_module(module).__all__
    ]
    assert private == []


@pytest.mark.parametrize("name", FACES)
def test_a_package_shows_what_it_exports_and_nothing_else(name: str) -> None:
    package = importlib.import_module(name)
    shown = [one for one in dir(package) if not (one.startswith("__") and one.endswith("__"))]
    assert sorted(shown) == sorted(package.__all__)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'trian'"):
        _ = package.trian


@pytest.mark.parametrize("name", FACES)
def test_what_type_checkers_see_of_a_package_is_what_there_is(name: str) -> None:
    package = importlib.import_module(name)
    assert {one for _, one in lazy(name)} == set(package.__all__)
    for home, one in lazy(name):
        assert getattr(package, one) is getattr(importlib.import_module(home), one), one


def test_no_module_has_to_be_read_together_with_others_that_need_it(tmp_path: Path) -> None:
    assert circles(ROOT) == []
    for one, other in (("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")):
        (tmp_path / "vae").mkdir(exist_ok=True)
        (tmp_path / "vae" / f"{one}.py").write_text(f"def late():\n    from vae import {other}\n")
    (tmp_path / "vae" / "__init__.py").touch()
    assert circles(tmp_path) == [["vae.a", "vae.b", "vae.c"]], "a circle is found, and no more than it"


def sessions() -> dict[str, str | None]:
    """Return nox session -> docstring, read without nox."""
    tree = ast.parse((ROOT / "noxfile.py").read_text(encoding="utf-8"))
    return {
        node.name: ast.get_docstring(node)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and any("nox.session" in ast.unparse(mark) for mark in node.decorator_list)
    }


def test_nox_lists_every_session_with_its_purpose() -> None:
    assert [name for name, purpose in sessions().items() if not purpose] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", ".pre-commit-config.yaml", ".ci/run"])
def test_sessions_that_are_named_exist(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:nox (?:-s|--session)|step \S+ session) ([a-z]+)", text))
    assert named
    assert named <= set(sessions())


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_commands_that_are_named_exist(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for command in sorted(set(re.findall(r"(?:^|`|\$ )vaebench ([a-z]+)\b", text, re.MULTILINE))):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0, f"{name} names `vaebench {command}`: {capsys.readouterr().err}"


def test_ci_runs_as_a_program() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_command_line_starts_without_tensorflow() -> None:
    code = "import sys, ablations.cli; print([m for m in ('tensorflow', 'keras', 'matplotlib') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", "these take seconds to import: do it inside the functions that use them"


def test_the_face_imports_nothing_that_takes_time() -> None:
    code = "import sys, vaebench; dir(vaebench); vaebench.__version__; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in ast.literal_eval(done.stdout)}
    assert "vaebench" in loaded
    assert loaded & {"vae", "ablations", "numpy", "pandas", "pydantic", "keras", "tensorflow"} == set()


def test_python_m_vaebench_is_the_command() -> None:
    command = [sys.executable, "-m", "vaebench", "plan", "quik"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'quick'?" in done.stdout + done.stderr


def test_one_version_everywhere() -> None:
    assert importlib.import_module("vaebench").__version__ == VERSION
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [VERSION]
    assert f"## [{VERSION}]" in changelog


@pytest.fixture(scope="session")
def text_files() -> dict[str, str]:
    """Return path -> text of all that git tracks or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode:
        pytest.skip("not a git checkout: nothing says which files are the project's")
    texts = {}
    for name in filter(None, listing.stdout.split("\0")):
        try:
            texts[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue  # an image, an archive, or a file deleted but not yet committed
    return texts


@pytest.mark.parametrize(
    "forbidden",
    [
        pytest.param(r"(?<![\w.~])/(?:home|root|Users|work|tmp)/\w", id="a path of one machine"),
        pytest.param(r"//[\w.-]*(?:pypi|pythonhosted|npmjs|debian)[\w.-]*", id="a package registry's host"),
        pytest.param(r"--(?:(?:extra-)?index-url|find-links)\b", id="where packages are fetched from"),
    ],
)
def test_nothing_is_tied_to_one_machine(text_files: dict[str, str], forbidden: str) -> None:
    found = [f"{name}: {match.group()}" for name, text in text_files.items() for match in re.finditer(forbidden, text)]
    assert found == []


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return the names in a wheel built from this tree, with the installed build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        return archive.namelist()


def test_wheel_holds_all_that_a_user_needs(wheel: list[str]) -> None:
    for package in PACKAGES:
        tracked = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
        assert tracked <= set(wheel)
        assert f"{package}/py.typed" in wheel
    for folder, inside in (
        ("ablations/studies", "ablations/studies"),
        ("report_templates", "ablations/report_templates"),
    ):
        names = {f"{inside}/{path.relative_to(ROOT / folder).as_posix()}" for path in (ROOT / folder).rglob("*.*")}
        assert names
        assert names <= set(wheel)
    assert any(name.endswith("/licenses/LICENSE") for name in wheel)


def test_wheel_holds_nothing_else(wheel: list[str]) -> None:
    roots = {name.split("/")[0] for name in wheel}
    assert roots == {*PACKAGES, f"vaebench-{VERSION}.dist-info"}
    assert [name for name in wheel if "__pycache__" in name] == []


def test_the_study_of_the_readme_is_one() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    study = Study.from_dict(tomllib.loads(table))
    epochs = {trial.axes["model"]: trial.spec.train.epochs for trial in study.trials()}
    assert epochs == {"dense": 60, "conv": 30}
    assert len(study) == 3 * 3 + 3 * 3 * 2 * 3  # dense has no KL term and is excluded with the SSIM term


KINDS_OF_PART = ("datasets", "networks", "posteriors", "priors", "terms", "metrics", "features")


def test_nothing_in_ablations_names_a_part() -> None:
    """A study is of whatever parts there are: of their packages, the face alone is imported, and of that no part."""
    named = [
        f"{name}: {module}"
        for name in MODULES
        if name.startswith("ablations")
        for module, _ in taken(parsed(name))
        if re.fullmatch(rf"vae\.({'|'.join(KINDS_OF_PART)})\..+", module)
    ]
    assert named == []
