"""The face says what stands in the place of its packages, on the path or written over them, before it uses them."""

import hashlib
import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("vae", "ablations", "bench", "vaebench")


def python(*words: str, path: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": path}
    command = [sys.executable, *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("shape", ["vae.py", "vae/__init__.py", "ablations.py"])
def test_what_comes_first_on_the_path_is_named(shape: str, tmp_path: Path) -> None:
    file = tmp_path / shape
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    said = f"'{Path(shape).parts[0].removesuffix('.py')}' is a package of vaebench, in "
    told = python("-P", "-m", "vaebench", "plan", "quick", path=path, folder=tmp_path)
    assert (told.returncode, told.stdout) == (2, "")
    (line,) = told.stderr.splitlines()
    assert line.startswith(f"vaebench: {said}")
    assert f"but Python finds {file} first. Rename that" in line
    asked = python("-c", "import vaebench as vb; vb.__version__; vb.Study", path=str(ROOT), folder=tmp_path)
    assert asked.stderr.splitlines()[-1].startswith(f"ImportError: {said}")


def test_a_module_of_that_name_that_was_imported_before_is_named(tmp_path: Path) -> None:
    (tmp_path / "vae.py").write_text("")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import vae; sys.path.pop(0); from vaebench import Study"
    told = python("-P", "-c", code, path=str(ROOT), folder=tmp_path)
    assert f"but Python finds {tmp_path / 'vae.py'} first" in told.stderr.splitlines()[-1]


def test_a_folder_bench_of_the_users_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "bench.py").write_text("raise ImportError('mine')\n")
    told = python("-c", "import vaebench as vb; print(vb.Study.__name__)", path=str(ROOT), folder=tmp_path)
    assert told.stdout == "Study\n"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a folder of installed packages that holds ours, with the list of what was installed."""
    site = tmp_path / "site"
    for name in OURS:
        shutil.copytree(ROOT / name, site / name, ignore=shutil.ignore_patterns("__pycache__"))
    names = [path.relative_to(site).as_posix() for path in site.rglob("*.py")]
    record(site, "vaebench", {name: (site / name).read_bytes() for name in names})
    return site


def record(site: Path, name: str, files: Mapping[str, bytes]) -> None:
    info = site / f"{name.replace('-', '_')}-7.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 7.0\n")
    lines = []
    for file, content in files.items():
        digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{file},sha256={digest},{len(content)}\n")
    (info / "RECORD").write_text("".join(lines))


def used(site: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = (*options, "-P", "-c", "import vaebench as vb; print(vb.Study.__name__)")
    return python(*words, path=str(site), folder=site.parent)


@pytest.mark.parametrize("package", ["vae", "bench"])
def test_a_distribution_that_has_written_over_ours_is_named(package: str, installed: Path) -> None:
    file = f"{package}/__init__.py"
    theirs = (installed / file).read_bytes() + b"# another\n"
    (installed / file).write_bytes(theirs)
    assert used(installed).stdout == "Study\n", "a change that nobody else lays claim to is the user's own"
    record(installed, f"other-{package}", {file: theirs})
    (*_, line) = used(installed).stderr.splitlines()
    assert line.startswith(
        f"ImportError: {installed / file} is no longer vaebench's: the distribution 'other-{package}' 7.0 has files of "
        "the same name."
    )
    assert f"pip uninstall other-{package}" in line


def test_a_package_that_an_uninstalled_one_took_along_is_missed(installed: Path) -> None:
    (installed / "vae" / "__init__.py").unlink()
    (*_, line) = used(installed, "-S").stderr.splitlines()  # the tests' Python may know of another vaebench
    assert line.startswith(f"ImportError: vaebench is incomplete: {installed / 'vae' / '__init__.py'} is missing.")
