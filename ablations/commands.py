"""What each command does; every one ends by saying what to do next."""

import os.path
import shlex
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ablations.estimate import forecast, speed_of, total_seconds
from ablations.executors import EXECUTORS, Event, Job, Resources, repeat
from ablations.formatting import clean, count
from ablations.lease import holder
from ablations.memory import budget
from ablations.progress import Watch, duration
from ablations.pruning import share_trained
from ablations.records import Record
from ablations.runner import Outcome, Plan, collect, crew_size, make_plan, no_grid, records_of
from ablations.runner import run as run_study
from ablations.searchspace import TuneSpec
from ablations.store import Store, writing
from ablations.study import Study, Trial
from ablations.tuning import check as check_search
from ablations.tuning import tune as search
from ablations.watching import Subject, open_watchers
from vae.datasets import check, load, survey
from vae.environment import source_hash
from vae.errors import SpecError

__all__ = ["compare", "data_check", "data_list", "plan", "report", "rerun", "run", "status", "tune"]

DONE, FAILED = 0, 1
MOST_ROWS = 60  # of a plan; longer ones are cut in the middle


def run(options: Namespace, console: Console) -> int:
    """Train what is missing of a study, write its tables and report."""
    _check_executor(options)
    study = Study.load(options.study, smoke=options.smoke)
    if study.ranges:
        raise no_grid(study)
    planned = make_plan(study, Store(options.results / study.folder_name), refresh=options.refresh)
    done = len(planned.trials) - len(planned.missing)
    counts = f"{len(planned.trials)} trials, {done} done, {len(planned.missing)} to train"
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {counts}")
    if planned.stale:
        console.print(f"[yellow]{len(planned.stale)} of them were made by older code[/]; --refresh trains them again")
    return _performed(study, options, console, len(planned.missing), run_study)


def tune(options: Namespace, console: Console) -> int:
    """Search a study's axes, write the tables and the report of what was tried."""
    _check_executor(options)
    study = Study.load(options.study, smoke=options.smoke)
    check_search(study)
    spec = study.tune or TuneSpec()
    planned = make_plan(study, Store(options.results / study.folder_name), searched=True)
    done = len(planned.trials) - len(planned.missing)
    most = f"at most {spec.most} configurations" if spec.most else "as many configurations as it has"
    seeds = len(study.axes["seed"])
    what = f"{spec.tuner} search for {' and '.join(spec.names)}, {most} with {count(seeds, 'seed')} each"
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {escape(what)}; {count(done, 'trial')} done")
    return _performed(study, options, console, (spec.most or 0) * seeds - done, search)


def _performed(
    study: Study, options: Namespace, console: Console, expected: int, perform: Callable[..., Outcome]
) -> int:
    """Train, telling how it goes to all who watch, write the report, and return the exit code."""
    began = time.monotonic()
    store = Store(options.results / study.folder_name)
    known: dict[str, Trial] = {}
    places = {"tensorboard": options.tensorboard, "mlflow": options.mlflow}
    with open_watchers(Subject(study, store, known), places) as others:
        with Watch(console, expected) as watch:

            def on_event(event: Event) -> None:
                watch(event)
                others.on_event(event)

            def on_jobs(jobs: Sequence[Job]) -> None:
                known.update({job.name: job.trial for job in jobs})
                watch.expect(jobs)

            outcome = perform(study, options.results, on_event=on_event, on_jobs=on_jobs, **_running_options(options))
        console.print(f"trained {outcome.trained} trials in {duration(time.monotonic() - began)}")
        code = _finish(study, outcome, options, console)
        others.files = sorted(path for path in store.report.glob("*") if path.is_file())
        others.close()
    for kind, reason in others.lost.items():
        console.print(f"[yellow]--{kind} broke off[/], the study did not: {escape(reason)}", soft_wrap=True)
    return code


def _check_executor(options: Namespace) -> None:
    """Refuse an executor that can't work here, before anything is read or written."""
    EXECUTORS[options.executor](1, 1, options.timeout, Resources(options.gpus_per_trial)).check()


def _running_options(options: Namespace) -> dict[str, Any]:
    """Return how trials are run, as the command line says."""
    names = ("executor", "workers", "threads", "memory", "timeout", "retries", "refresh", "address")
    return {name: getattr(options, name) for name in names} | {"gpus": options.gpus_per_trial}


def report(options: Namespace, console: Console) -> int:
    """Write tables and report again from the records."""
    study = _study_of(options.folder)
    store = Store(options.folder)
    with writing(store.root):
        outcome = collect(store, make_plan(study, store, recorded=True), running=_running(store))
    return _finish(study, outcome, options, console)


def plan(options: Namespace, console: Console) -> int:
    """List a study's trials with their size and estimated time."""
    study = Study.load(options.study, smoke=options.smoke)
    if study.ranges:
        raise no_grid(study)
    store = Store(options.results / study.folder_name)
    planned = make_plan(study, store)
    records = [record for name in store.names() if (record := store.read(name))]
    speed = speed_of(records)
    missing = {trial.name for trial in planned.missing}
    data = {spec: load(spec) for spec in {trial.spec.data for trial in planned.trials}}
    forecasts = {trial.name: forecast(trial, data[trial.spec.data], speed or 1.0) for trial in planned.trials}
    table = Table("trial", "state", "parameters", "FLOPs/image", "time")
    for index, trial in enumerate(planned.trials):
        if len(planned.trials) > MOST_ROWS and MOST_ROWS // 2 <= index < len(planned.trials) - MOST_ROWS // 2:
            if index == MOST_ROWS // 2:
                table.add_row(f"... {len(planned.trials) - MOST_ROWS} more ...")
            continue
        one = forecasts[trial.name]
        state = "to train" if trial.name in missing else "stale" if trial.name in planned.stale else "done"
        cost = f"{one.cost.parameters:,}", f"{one.cost.flops_per_image:,}"
        table.add_row(trial.name, state, *cost, duration(one.seconds))
    console.print(table)
    memory = options.memory or budget(records)
    crew, threads = crew_size(options.executor, options.workers, options.threads, memory)
    seconds = total_seconds([forecasts[name] for name in missing], crew)
    basis = "from this study's finished trials" if speed else "from the arithmetic alone, good to a factor of three"
    same = f", {study.duplicates} rows of the grid left out as equal to another" if study.duplicates else ""
    console.print(f"{len(planned.trials)} trials{same}; {len(missing)} to train")
    for reason, number in Counter(record.reason for record in planned.skipped).items():
        console.print(f"{number} rows of the grid skipped {escape(str(reason))}")
    console.print(f"about {duration(seconds)} on {crew} workers of {threads} threads ({basis})")
    if study.stop and planned.trials:
        share, rungs = share_trained(study.stop, planned.trials), ", ".join(map(str, study.stop.rungs))
        console.print(f"\\[stop]: rungs after epochs {rungs} leave about {share:.0%} of all epochs, and of that time")
    smoke = " --smoke" if options.smoke else ""
    console.print(f"next: vaebench run {escape(shlex.quote(str(options.study)))}{smoke}")
    return DONE


def status(options: Namespace, console: Console) -> int:
    """Say how far a study is and what failed."""
    study = _study_of(options.folder)
    store = Store(options.folder)
    planned = make_plan(study, store, recorded=True)
    running = _running(store)
    records = records_of(store, planned, running)
    counts = Counter(record.status for record in records)
    if waiting := len(planned.trials) + len(planned.skipped) - len(records):
        counts["missing"] = waiting
    console.print(f"study [bold]{escape(clean(study.name))}[/]: {len(planned.trials)} trials")
    for name, number in counts.most_common():
        console.print(f"  {number:6} {name}")
    if planned.stale:
        console.print(f"  {len(planned.stale):6} done, but by older code")
    attempts = store.ledger.attempts()
    tries = Counter(attempt.trial for attempt in attempts)
    for record in records:
        if record.failed:
            tried = f" (attempt {tries[record.trial]})" if record.trial in tries else ""
            line = f"[red]{record.status}[/] {record.trial}{tried}: {escape(str(record.reason))}"
            console.print(line, soft_wrap=True)
    _show_running(store, planned, tries, console)
    others = len(set(store.names()) - {trial.name for trial in planned.trials})
    if others:
        console.print(f"{others} more in the folder are of earlier versions of the study")
    if planned.missing:
        console.print("next: vaebench run STUDY, which trains what is missing")
    else:
        console.print(f"next: vaebench report {escape(shlex.quote(str(options.folder)))}")
    return FAILED if any(record.failed for record in records) else DONE


def _running(store: Store) -> frozenset[str]:
    """Return the trials that somebody trains just now."""
    return frozenset(store.read_progress()) if holder(store.lease) else frozenset()


def _show_running(store: Store, planned: Plan, tries: Counter[str], console: Console) -> None:
    """Say who runs the study and what each running trial is at."""
    who = holder(store.lease)
    if who is None:
        return
    console.print(f"running now ({escape(str(who))}):")
    epochs = {trial.name: trial.spec.train.epochs for trial in planned.trials}
    for name, at in store.read_progress().items():
        if name not in epochs:
            continue
        left = ""
        if at["epoch"]:
            seconds = (time.time() - at["began"]) / at["epoch"] * (epochs[name] - at["epoch"])
            left = f", about {duration(max(seconds, 0))} left"
        console.print(f"  {name}: epoch {at['epoch']:.0f} of {epochs[name]}, attempt {tries[name]}{left}")


def compare(options: Namespace, console: Console) -> int:
    """Say what changed between folders of results."""
    from ablations.comparing import run as run_comparison

    return run_comparison(options, console)


def rerun(options: Namespace, console: Console) -> int:
    """Train a finished trial again, beside it, and say whether the numbers agree."""
    record = Store.of_trial(options.folder)
    if record is None or record.status != "done":
        raise SpecError(
            f"{options.folder} holds no finished trial. Expected a folder such as results/quick/trials/NAME"
        )
    threads = int(record.environment["threads"])
    console.print(f"training {escape(record.trial)} again with {threads} threads ...")
    again = repeat(record, threads)
    table = Table("metric", "recorded", "now", "")
    differ = 0
    for name, before in record.metrics.items():
        now = again.get(name)
        same = before == now
        differ += not same
        table.add_row(name, str(before), str(now), "equal" if same else "differs")
    console.print(table)
    if differ:
        console.print(f"{differ} of {len(record.metrics)} numbers differ. Recorded with {_made_by(record)}")
        return FAILED
    console.print(f"all {len(record.metrics)} numbers are equal to the last bit")
    return DONE


def _made_by(record: Record) -> str:
    packages = " ".join(f"{name} {version}" for name, version in record.environment["packages"].items())
    code = "" if record.code.get("vae") == source_hash() else "; vae's code has changed since"
    return escape(f"{record.environment['processor']}, {packages}{code}")


def data_list(options: Namespace, console: Console) -> int:  # noqa: ARG001 - it has no options
    """List the data sets."""
    table = Table("data set", "found", "train", "test", "shape", "checksum", "licence", "where, or why not")
    for facts in survey():
        shape = " x ".join(map(str, facts.shape)) if facts.shape else "-"
        table.add_row(
            facts.name,
            "yes" if facts.found else "no",
            "-" if facts.train is None else f"{facts.train:,}",
            "-" if facts.test is None else f"{facts.test:,}",
            shape,
            (facts.checksum or "-")[:12],
            escape(facts.licence),
            escape(facts.where),
        )
    console.print(table)
    console.print("next: vaebench data check NAME verifies every file; $VAEBENCH_DATA names a folder to look in first")
    return DONE


def data_check(options: Namespace, console: Console) -> int:
    """Read and verify every file of a data set."""
    for line in check(options.name, options.path):
        console.print(escape(line))
    console.print(f'{options.name} is as it should be. Next: name it in a study, dataset = ["{options.name}"]')
    return DONE


def _finish(study: Study, outcome: Outcome, options: Namespace, console: Console) -> int:
    """Render the report and say where everything is."""
    from ablations import report as reports  # Matplotlib and pandas, which the other commands can do without
    from ablations.searched import read_search

    store = outcome.store
    source = reports.Source(
        name=study.name,
        title=study.title,
        question=study.question,
        spec_text=study.text,
        axes=study.axes,
        baseline=study.report.baseline,
        command=_command(study, searched=store.search.is_file()),
        records=outcome.records,
        history=store.history,
        arrays=store.arrays,
        stale=outcome.plan.stale,
        runs=store.ledger.runs(),
        search=read_search(study, store),
    )
    with writing(store.root):
        rendered = reports.render(
            source,
            store.report,
            latex=not options.no_pdf,
            embedding=study.report.embedding,
            path=study.report.interpolation,
        )
    for path in (store.table_csv, store.summary_csv, rendered.html, rendered.tex, rendered.pdf):
        if path is not None:
            console.print(f"  {escape(str(path))}", soft_wrap=True)
    if rendered.no_pdf:
        console.print(f"  no PDF: {escape(rendered.no_pdf)}")
    for record in outcome.failed:
        console.print(f"[red]{record.status}[/] {record.trial}: {escape(str(record.reason))}", soft_wrap=True)
    if outcome.failed:
        again = "the search went on without them" if source.search else "the same command tries them again"
        console.print(f"{len(outcome.failed)} of {len(outcome.plan.trials)} trials failed; {again}")
        return FAILED
    console.print(f"next: open {escape(str(rendered.html))}", soft_wrap=True)
    return DONE


def _command(study: Study, *, searched: bool) -> str:
    """Return the command that repeats the study: by its name where it is built in, else by its file."""
    words = ["vaebench", "tune" if searched else "run", study.source]
    return shlex.join([*words, "--smoke"] if study.smoke else words)


def _study_of(folder: Path) -> Study:
    file = Store(folder).study_file
    if not os.path.isfile(file):  # noqa: PTH113 - Path.is_file raises where the name is too long
        raise SpecError(
            f"{folder} holds no results of a study (no {file.name}). Expected a folder such as results/quick"
        )
    return Study.load(file)
