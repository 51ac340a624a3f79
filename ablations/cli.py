"""The command `vaebench`: its grammar and exit codes; what a command does is in its file in `ablations.commands`."""

import argparse
import json
import math
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Timer, current_thread, main_thread
from types import FrameType
from typing import Any, Self

from rich.markup import escape

from ablations.text.terminal import Terminal
from vae.errors import VaebenchError

__all__ = ["main"]

REFUSED = 2
FOREIGN = ("MPLBACKEND", "PYTHONWARNINGS")
STOPPED = "vaebench: stopped. What is finished is kept; the same command goes on from there"
KINDS_OF_PART = ("network", "posterior", "prior", "term", "metric", "features", "dataset")
PATIENCE_SECONDS = 1.0  # `timeout`, and others who stop a whole group of processes, send a signal twice


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 all done; 1 some trial failed; 2 bad usage or spec; 130 stopped by Ctrl-C, 143 by `kill`, as shells have it.
    """
    options = _parser().parse_args(arguments)
    complain = Terminal(stderr=True, highlight=False, emoji=False, soft_wrap=True).print
    with _Stop() as stop, _undisturbed():
        try:
            # Only now: pandas and the rest take longer to import than --help may take.
            command = import_module(f"ablations.commands.{options.command}")
            code: int = command.run(options, Terminal(highlight=False, emoji=False))
        except (Exception, KeyboardInterrupt) as error:
            if stop.code or isinstance(error, KeyboardInterrupt):  # of which a library may have made something else
                complain(STOPPED)
                return stop.code or 128 + signal.SIGINT
            if not isinstance(error, VaebenchError):
                raise
            complain(f"[bold red]vaebench:[/] {escape(str(error))}")
            return REFUSED
    return code


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Leave aside what a shell hands on that is meant for other programs, and would end the import of libraries.

    That is a notebook's own way to show figures, and warnings that are errors.
    """
    aside = {name: os.environ.pop(name) for name in FOREIGN if name in os.environ}
    try:
        with warnings.catch_warnings():
            if sys.warnoptions:
                warnings.filters[:] = [one for one in warnings.filters if one[0] != "error"]  # type: ignore[index]
            yield
    finally:
        os.environ.update(aside)


class _Stop:
    """Ctrl-C and `kill` stop a command as long as the block runs.

    The first signal is raised, so that what is under way can be put away, and decides the exit code; one that comes
    later than a moment after it ends the process there and then. What is half-written is swept by the next run. A
    finaliser swallows what is raised in it: a signal that came during one comes again.

    Attributes:
        code: 128 and the number of the first signal; 0 where none came.
    """

    def __init__(self) -> None:
        """Nothing came yet."""
        self.code = 0
        self._came = 0.0
        self._before: dict[int, Any] = {}
        self._hook: Callable[[Any], Any] | None = None

    def __enter__(self) -> Self:
        """Listen, but for what the process was started to ignore."""
        if current_thread() is main_thread():
            numbers = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) != signal.SIG_IGN]
            self._before = {one: signal.signal(one, self._hear) for one in numbers}
            self._hook, sys.unraisablehook = sys.unraisablehook, self._again
        return self

    def __exit__(self, *_: object) -> None:
        """Leave signals to whom they went before."""
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # none, where a library had set it
        if self._hook is not None:
            sys.unraisablehook = self._hook

    def _again(self, swallowed: Any) -> None:
        if swallowed.exc_type is KeyboardInterrupt and self.code:
            number, self.code = self.code - 128, 0
            Timer(0.01, os.kill, (os.getpid(), number)).start()  # once the finaliser is over
        elif self._hook is not None:
            self._hook(swallowed)

    def _hear(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if not self.code:
            self.code, self._came = 128 + number, now
            raise KeyboardInterrupt
        if now - self._came > PATIENCE_SECONDS:
            os.write(2, f"{STOPPED}\n".encode())
            os._exit(self.code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vaebench",
        description="Ablation studies of variational autoencoders: trials, tables, reports.",
        epilog="Begin with: vaebench run quick",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="train what is missing of a study, write tables and report")
    _add_study(run)
    _add_running(run)
    run.set_defaults(command="run")

    tune = commands.add_parser("tune", help="search a study's axes with Keras Tuner instead of training its grid")
    _add_study(tune)
    _add_running(tune)
    tune.set_defaults(command="tune")

    plan = commands.add_parser("plan", help="list a study's trials, their size and time; train nothing")
    _add_study(plan)
    plan.set_defaults(command="plan")

    status = commands.add_parser("status", help="how far a study is")
    status.add_argument("folder", type=Path, metavar="DIR", help="results/<study>")
    status.set_defaults(command="status")

    report = commands.add_parser("report", help="write tables and report again from the records")
    report.add_argument("folder", type=Path, metavar="DIR", help="results/<study>")
    report.add_argument("--no-pdf", action="store_true", help="write the HTML report alone")
    report.set_defaults(command="report")

    compare = commands.add_parser("compare", help="what changed between folders of results; 1 where something is worse")
    add = compare.add_argument
    add("folders", type=Path, nargs="+", metavar="DIR", help="results/<study>; each is held against the first")
    add("--tolerance", type=_share, default=0.05, help="relative change that does not matter (default: 0.05)")
    add(
        "--metric",
        action="append",
        metavar="NAME",
        help="compare this column (repeatable; default: the study's report.metrics)",
    )
    add("--output", type=Path, metavar="FILE", help="write it to a .csv, .md or .html file as well")
    compare.set_defaults(command="compare")

    rerun = commands.add_parser("rerun", help="train a finished trial again and compare the numbers")
    rerun.add_argument("folder", type=Path, metavar="TRIAL", help="results/<study>/trials/<trial>")
    _add_plugins(rerun)
    rerun.set_defaults(command="rerun")

    _add_evaluate(commands.add_parser("evaluate", help="measure finished trials, or a model trained elsewhere"))

    _add_own(commands)

    data = commands.add_parser("data", help="data sets: what was found where")
    actions = data.add_subparsers(required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="list data sets, counts, shapes, checksums, licences")
    listing.set_defaults(command="data", action="list")
    check = actions.add_parser("check", help="read and verify every file of a data set")
    check.add_argument("name", metavar="NAME")
    check.add_argument("--path", help="folder or zip file for image_folder and celeba, file for arrays")
    check.set_defaults(command="data", action="check")
    return parser


def _add_own(commands: Any) -> None:
    """Add the commands for parts of one's own."""
    parts = commands.add_parser(
        "parts", help="every part that a study may name, with its settings and where it is from"
    )
    parts.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE", help="list its parts too")
    parts.add_argument("--json", action="store_true", help="print it as JSON")
    parts.set_defaults(command="parts")

    check = commands.add_parser("check", help="run the contract tests on the parts of a file of yours")
    check.add_argument("files", type=Path, nargs="+", metavar="FILE", help="Python files that register parts")
    check.add_argument(
        "--timeout", type=_seconds, default=600.0, metavar="SECONDS", help="give up after (default: 600)"
    )
    check.set_defaults(command="check")

    new = commands.add_parser("new", help="write a working part of your own, its test and a study that uses it")
    new.add_argument("kind", choices=KINDS_OF_PART, metavar="KIND", help=", ".join(KINDS_OF_PART))
    new.add_argument("name", metavar="NAME", help="of the part, such as my_net")
    new.add_argument("--folder", type=Path, default=Path(), metavar="DIR", help="where to (default: here)")
    new.set_defaults(command="new")


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("place", type=Path, metavar="DIR|MODEL", help="results/<study>, or a .keras file of a model trained elsewhere")
    add("--metrics", nargs="+", metavar="NAME", help="what to measure (default: as the study says; `default` too)")
    _add_plugins(parser)
    add("--executor", default="processes", help="inline or processes (default)")
    add("--workers", type=_positive, help="trials at a time (default: one a core, as many as memory holds)")
    add("--threads", type=_positive, help="threads of each worker (default: the cores divided)")
    add("--memory", type=_gigabytes, metavar="GB", help="that a worker may need")
    add("--timeout", type=_seconds, metavar="SECONDS", help="give a trial up that takes longer")
    add("--dataset", metavar="NAME", help="of a model file: the data set it is measured on")
    add("--path", help="of a model file: where the data set lies, of those that need it")
    add("--range", choices=("unit", "symmetric"), default="unit", help="of a model file: of its pixels (default: unit)")
    add("--encoder", default="encoder", metavar="NAME", help="of a model file: the layer that makes codes")
    add("--decoder", default="decoder", metavar="NAME", help="of a model file: the layer that makes images of codes")
    add("--name", help="of a model file: of the folder of results (default: the file's)")
    add(
        "--set",
        type=_setting,
        action="append",
        default=[],
        metavar="AXIS=VALUE",
        help="of a model file: a column's value",
    )
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="of a model file: where results go")
    parser.set_defaults(command="evaluate", address="auto", gpus_per_trial=None, retries=0)


def _add_plugins(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--plugin", type=Path, action="append", default=[], metavar="FILE", help="run this file, which brings parts")
    add("--plugins", action="store_true", help="run the plugins that the results hold copies of")


def _setting(text: str) -> tuple[str, object]:
    axis, equals, value = text.partition("=")
    if not axis or not equals:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected AXIS=VALUE, such as latent_dim=16")
    try:
        return axis, json.loads(value)
    except ValueError:
        return axis, value


def _add_study(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("study", nargs="?", default="quick", metavar="STUDY", help="a built-in study or a TOML file (default: quick)")
    add("--results", type=Path, default=Path("results"), metavar="DIR", help="where results go (default: results)")
    add("--smoke", action="store_true", help="shrink the study: 256 images, one epoch, one seed")
    add("--workers", type=_positive, help="trials at a time (default: one a core, as many as memory holds)")
    add("--memory", type=_gigabytes, metavar="GB", help="that a worker may need (default: as seen so far, at least 2)")


def _add_running(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--executor", default="processes", help="inline, processes (default) or ray")
    add("--address", default="auto", help="of a Ray cluster: auto (default), local, HOST:PORT, ray://...")
    add("--gpus-per-trial", type=_gpus, metavar="SHARE", help="0 to 1: 0.25 lets four trials share one")
    add("--threads", type=_positive, help="threads of each worker (default: the cores divided)")
    add("--timeout", type=_seconds, metavar="SECONDS", help="stop a trial that takes longer")
    add("--retries", type=_count, default=1, help="tries more for a trial whose process died (default: 1)")
    add("--refresh", action="store_true", help="train trials again that older code made")
    add("--no-pdf", action="store_true", help="write the HTML report alone")
    watch = partial(add, dest="watch", action="append", default=[])
    watch("--watch", type=_watcher, metavar="KIND[=PLACE]", help="who else is told: tensorboard, mlflow (repeatable)")
    for kind, place, what in (
        ("tensorboard", "DIR", "write event files for TensorBoard"),
        ("mlflow", "URI", "keep the trials as runs of MLflow"),
    ):
        short = f"{what}: short for --watch {kind}={place}"
        watch(f"--{kind}", nargs="?", const="", type=partial(_of_kind, kind), metavar=place, help=short)


def _watcher(text: str) -> tuple[str, str]:
    kind, _, place = text.partition("=")
    return kind, place


def _of_kind(kind: str, place: str) -> tuple[str, str]:
    return kind, place


def _seconds(text: str) -> float:
    return _above_zero(text, "seconds")


def _gigabytes(text: str) -> float:
    return _above_zero(text, "gigabytes") * 1e9


def _above_zero(text: str, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number of {unit} above 0")
    return value


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a share of at least 0, such as 0.05 for 5 %")
    return value


def _gpus(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a share of a GPU, from 0 to 1")
    return value


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least 0")
    return int(text)


def _positive(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number of at least 1")
    return value
