"""What a developer or a continuous-integration machine runs: `nox -l` lists the sessions, `nox -s NAME` runs one.

Each session has its own environment under .nox/, filled with the pinned, hashed versions of constraints.txt and filled
again only when pyproject.toml or constraints.txt changes, so that a second run starts at once.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "layers", "tests"]

ROOT = Path(__file__).parent
LOCK = "constraints.txt"
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)

WRITE_FILE = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"

# mypy is told to skip these (see tool.mypy.overrides), so that type checks need not install them.
UNTYPED = ("keras", "tensorflow")

# What makes up the lock: one set for every session. `gpu` is the platform's own matter, and PyTorch's builds differ by
# index, not by version: users of either choose their build.
LOCKED_EXTRAS = ("jax", "tune", "ray", "mlflow")

# The tests of a file stay together, for they share what was trained for them.
TESTS_AT_ONCE = ("--numprocesses=logical", "--dist=loadfile")

BACKEND_TESTS = ("tests/vae/test_backends.py", "tests/vae/test_inference.py")

BENCHMARK = (
    "--benchmark-only",
    "--benchmark-autosave",
    "--benchmark-group-by=fullname",
    "--benchmark-columns=median,iqr,rounds",
)


def requirements(*, groups: tuple[str, ...] = (), extras: tuple[str, ...] = (), project: bool = True) -> list[str]:
    """Return the requirements of pyproject.toml that a session needs, versions left to the lock."""
    found = list(PYPROJECT["project"]["dependencies"]) if project else []
    for extra in extras:
        found += PYPROJECT["project"]["optional-dependencies"][extra]
    return found + list(nox.project.dependency_groups(PYPROJECT, *groups))


def check_python(session: nox.Session) -> None:
    """Stop early, with a way out, where the interpreter is none that the lock was made for."""
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    version = session.python if isinstance(session.python, str) else running
    if version not in PYTHONS:
        session.error(
            f"this is Python {version}, but {LOCK} holds builds for {', '.join(PYTHONS)}. "
            f"Start nox with one of these, or name one: nox --force-python {PYTHONS[-1]} -s {session.name}",
        )


def prepare(session: nox.Session, wanted: list[str], *, editable: bool = False) -> None:
    """Install what a session needs at the pinned versions, hashes checked, unless it is there already."""
    check_python(session)
    stamp = Path(session.virtualenv.location) / "vaebench-installed"
    parts = [Path("pyproject.toml").read_text(), Path(LOCK).read_text(), *wanted, str(editable), str(ROOT)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == digest:
        session.log(f"{session.name}: installed already, as {LOCK} says")
        return
    stamp.unlink(missing_ok=True)
    # Compiled at once, as pip does by itself: else the first start of TensorFlow takes the time.
    compiled = ["--compile-bytecode"] if session.virtualenv.venv_backend == "uv" else []
    session.install(*compiled, "--constraint", LOCK, *wanted)
    if editable:
        # Apart from the rest, since a folder has no hash; its build requirements are in the lock like all others.
        session.install("--no-deps", "--no-build-isolation", "--editable", ".")
    # By run_install, so that `nox --no-install` leaves no stamp for what it did not install.
    session.run_install("python", "-c", WRITE_FILE, str(stamp), digest, silent=True)


def with_project(session: nox.Session, *, groups: tuple[str, ...] = (), extras: tuple[str, ...] = ()) -> None:
    """Install the project in place, with its dependencies and these groups and extras."""
    prepare(session, requirements(groups=("build", *groups), extras=extras), editable=True)


@nox.session
def ablate(session: nox.Session) -> None:
    """Run a study and render its report: nox -s ablate [-- STUDY OPTIONS]; `quick` where no study is named."""
    with_project(session)
    session.run("vaebench", "run", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the test suite, a process a core: nox -s tests; in one process, with options: nox -s tests -- OPTIONS."""
    with_project(session, groups=("test", "browser"), extras=("tune", "ray", "mlflow"))
    session.run("pytest", *(session.posargs or TESTS_AT_ONCE))


@nox.session
def examples(session: nox.Session) -> None:
    """Drop the examples of CONTRIBUTING.md into a copy of the project, and run the whole test suite there."""
    with_project(session, groups=("test", "browser"), extras=("tune", "ray", "mlflow"))
    words = session.posargs or TESTS_AT_ONCE
    # Not below this clone: there git takes the copy for files that are ignored.
    with tempfile.TemporaryDirectory(prefix="vaebench-examples-") as place:
        folder = Path(place).resolve() / "copy"
        session.run("python", "tests/examples.py", str(folder))
        with session.chdir(folder):
            session.run("pytest", *words, env={"PYTHONPATH": str(folder)})


@nox.session
def chaos(session: nox.Session) -> None:
    """Kill the workers and runners of a study of 24 trials 50 times, and compare with an undisturbed run."""
    with_project(session, groups=("test",), extras=("tune",))
    size = {"VAEBENCH_CHAOS_KILLS": "50", "VAEBENCH_CHAOS_TRIALS": "24"}
    session.run("pytest", "-s", "tests/chaos", *session.posargs, env=size)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Spoil 1,000 folders of results for each command that reads them: nothing but a clear error may come of it."""
    with_project(session, groups=("test",), extras=("tune",))
    size = {"VAEBENCH_FUZZ_FOLDERS": "500"}  # of each of two kinds
    session.run("pytest", "tests/property/test_results_folders.py", *session.posargs, env=size)


@nox.session
def ray(session: nox.Session) -> None:
    """Kill a node, a worker and the runner of a study of 12 trials on a Ray cluster, and compare."""
    with_project(session, groups=("test",), extras=("tune", "ray"))
    session.run("pytest", "-s", "tests/ray", *session.posargs, env={"VAEBENCH_RAY_TRIALS": "12"})


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and formatting with ruff; -- --fix mends what can be mended."""
    prepare(session, requirements(groups=("lint",), project=False))
    fix = "--fix" in session.posargs
    session.run("ruff", "check", *(["--fix"] if fix else []))
    session.run("ruff", "format", *([] if fix else ["--check"]))


@nox.session
def types(session: nox.Session) -> None:
    """Check the types with mypy, strict."""
    wanted = [name for name in requirements(groups=("types", "test")) if not name.startswith(UNTYPED)]
    prepare(session, wanted)
    session.run("mypy", *session.posargs)


@nox.session
def layers(session: nox.Session) -> None:
    """Check that vae knows nothing of ablations, nor ablations of bench (import-linter)."""
    prepare(session, requirements(groups=("layers",), project=False))
    session.run("lint-imports")


@nox.session
def backends(session: nox.Session) -> None:
    """Train with Keras on JAX, and on PyTorch where it is installed (-- torch installs it)."""
    with_project(session, groups=("test",), extras=("jax",))
    if "torch" in session.posargs:
        # Not locked: which build suits is the user's choice, made by their own index settings.
        session.install(*requirements(extras=("torch",)))
    has_torch = session.run(
        "python",
        "-c",
        "import importlib.util; print(importlib.util.find_spec('torch') is not None)",
        silent=True,
    )
    names = ["jax", "torch"] if "True" in str(has_torch) else ["jax"]
    for name in names:
        session.run("pytest", "-m", "backend", *BACKEND_TESTS, env={"KERAS_BACKEND": name})
    if "torch" not in names:
        session.log("torch: not installed here, so not tried; `nox -s backends -- torch` installs and tries it")


@nox.session
def bench(session: nox.Session) -> None:
    """Time the hot paths, keep the run and compare it with this machine's last: nox -s bench [-- PYTEST OPTIONS]."""
    with_project(session, groups=("test",))
    session.run("pytest", "bench/benchmarks", *BENCHMARK, *session.posargs)


@nox.session
def regress(session: nox.Session) -> None:
    """Say whether the working tree is slower than a commit: nox -s regress -- --base REV; --help tells the rest."""
    with_project(session)
    session.run("python", "-m", "bench.gate.regress", *session.posargs)


@nox.session
def history(session: nox.Session) -> None:
    """Plot every benchmark over the runs of `bench` and `regress`: results/bench/history.html."""
    with_project(session)
    session.run("python", "-m", "bench.gate.history", *session.posargs)


@nox.session
def peers(session: nox.Session) -> None:
    """Run one study with us and with our peers, side by side: nox -s peers [-- OPTIONS]; --help lists them.

    pythae gets an environment of its own inside this session's, filled by pip (bench/peers/_environments.py).
    """
    with_project(session)
    session.run("python", "-m", "bench.peers", "--environments", session.virtualenv.location, *session.posargs)


@nox.session
def overhead(session: nox.Session) -> None:
    """Measure what checkpoints, ledger and progress cost: nox -s overhead [-- OPTIONS]."""
    with_project(session)
    session.run("python", "-m", "bench.measure.overhead", *session.posargs)


@nox.session
def search(session: nox.Session) -> None:
    """Compare searches and rungs with random search and the whole grid; with -- --kills, kill searches and compare."""
    with_project(session, groups=("test",), extras=("tune",))
    if "--kills" in session.posargs:
        session.run("pytest", "-k", "killed", "tests/ablations/search/test_tune.py", env={"VAEBENCH_SEARCH_KILLS": "3"})
    else:
        session.run("python", "-m", "bench.measure.search", *session.posargs)


@nox.session
def executors(session: nox.Session) -> None:
    """Measure what executors are worth and add, and write results/reference/executors.md."""
    with_project(session, extras=("ray",))
    session.run("python", "-m", "bench.measure.executors", *session.posargs)


@nox.session
def kernels(session: nox.Session) -> None:
    """Time training steps with and without each of our kernels: nox -s kernels [-- OPTIONS]."""
    with_project(session)
    session.run("python", "-m", "bench.measure.kernels", *session.posargs)


@nox.session
def scaling(session: nox.Session) -> None:
    """Measure how plans and reports grow with the number of trials: nox -s scaling [-- OPTIONS]."""
    with_project(session)
    session.run("python", "-m", "bench.measure.scaling", *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """Simulate what the report's intervals and verdicts keep of what they promise: nox -s coverage [-- OPTIONS]."""
    with_project(session)
    session.run("python", "-m", "bench.measure.coverage", *session.posargs)


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml allows (needs uv)."""
    check_python(session)
    need_uv(session)
    session.install(
        "--resolution",
        "lowest-direct",
        "--editable",
        ".",
        *requirements(groups=("test", "browser", "build"), extras=("tune", "ray", "mlflow")),
    )
    # Old releases warn of what came after them: here warnings are no errors.
    session.run("pytest", *session.posargs, env={"PYTEST_ADDOPTS": "--override-ini=filterwarnings=default"})


@nox.session
def lock(session: nox.Session) -> None:
    """Write constraints.txt anew from pyproject.toml; -- --upgrade takes the newest versions (needs uv)."""
    need_uv(session)
    chosen = [option for extra in LOCKED_EXTRAS for option in ("--extra", extra)]
    chosen += [option for group in PYPROJECT["dependency-groups"] for option in ("--group", group)]
    session.run(
        "uv",
        "pip",
        "compile",
        "pyproject.toml",
        *chosen,
        "--universal",
        *("--python-version", PYTHONS[0]),
        "--generate-hashes",
        # Names, versions and hashes only: where they come from is the user's pip's business.
        *("--no-emit-index-url", "--no-emit-find-links", "--no-annotate"),
        *("--custom-compile-command", "nox -s lock"),
        *("--output-file", LOCK),
        "--quiet",
        *session.posargs,
    )


def need_uv(session: nox.Session) -> None:
    """Stop with the remedy where uv is missing: it alone resolves for several Pythons, or downwards."""
    if session.virtualenv.venv_backend != "uv":
        session.error(f"{session.name} needs uv: python -m pip install uv, then run it again")
