"""Whether the packages behind the face are its own: their names are short, and others have had the same idea."""

import hashlib
import sys
from base64 import urlsafe_b64encode
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution, distributions
from importlib.util import find_spec
from pathlib import Path

__all__ = ["check"]

ROOT = Path(__file__).resolve().parents[1]
NEEDED = ("vae", "ablations")  # by the face and the command
PACKAGES = (*NEEDED, "bench")
NAME = "vaebench"


@cache
def check() -> None:
    """Look whether each package behind the face is the one that came with it.

    A folder `bench` that Python finds first does no harm; one that was written over ours says that others may follow.

    Raises:
        ImportError: a file or folder of that name comes before it on Python's path, another distribution has written
            over it, or it is not there.
    """
    for package in NEEDED:
        _check_place(package)
    _check_content()


def _check_place(package: str) -> None:
    own = ROOT / package
    found = _found(package)
    if found is None:
        raise ImportError(f"{NAME} is incomplete: {own / '__init__.py'} is missing. {_again()}")
    if found.resolve().parent != own:
        raise ImportError(
            f"'{package}' is a package of {NAME}, in {own}, but Python finds {found} first. Rename that, take it off "
            "PYTHONPATH, or start Python in another folder"
        )


def _found(package: str) -> Path | None:
    """Return the file that Python takes a package from; None where there is none, or a folder without one."""
    loaded = sys.modules.get(package)
    if loaded is not None:
        file = getattr(loaded, "__file__", None)
    else:
        spec = find_spec(package)
        file = None if spec is None else spec.origin
    return None if file is None else Path(file)


def _check_content() -> None:
    """Compare the files with what was installed; one that nobody else claims is the user's own change, and welcome."""
    try:
        own = distribution(NAME)
    except PackageNotFoundError:  # a checkout that is on the path
        return
    changed = [file for file in own.files or () if _is_ours(file) and _differs(file)]
    if not changed:
        return
    for other in distributions():
        claimed = set(map(str, other.files or ())) if other.name != own.name else set()
        if clash := next((file for file in changed if str(file) in claimed), None):
            raise ImportError(
                f"{Path(str(clash.locate()))} is no longer {NAME}'s: the distribution '{other.name}' {other.version} "
                f"has files of the same name. {_again(other)}"
            )


def _is_ours(file: PackagePath) -> bool:
    """Tell whether a file is of our packages, at this place: another may be installed elsewhere on the path."""
    return file.parts[0] in PACKAGES and file.suffix == ".py" and Path(str(file.locate())).is_relative_to(ROOT)


def _differs(file: PackagePath) -> bool:
    """Tell whether a file is another than the one that was installed."""
    try:
        content = file.read_binary()
    except OSError:
        return True
    if file.hash is None:
        return False
    digest = hashlib.new(file.hash.mode, content).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode() != file.hash.value


def _again(other: Distribution | None = None) -> str:
    anew = f"python -m pip install --force-reinstall --no-deps {NAME}"
    if other is None:
        return f"Install it anew: {anew}"
    return f"Keep the two in environments of their own; here: python -m pip uninstall {other.name}, then {anew}"
