"""`vaebench evaluate`: new metrics of finished trials, or the metrics of a model that was trained elsewhere."""

import shlex
import time
from argparse import Namespace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from ablations.analysis.opened import opened
from ablations.commands._shared import DONE, FAILED, crew_of
from ablations.records import rows
from ablations.records.files import writing
from ablations.records.store import Store
from ablations.runner.collect import collect
from ablations.runner.elsewhere import measure_elsewhere
from ablations.runner.measure import measure_again
from ablations.runner.watchers import Bars
from ablations.search.log import recorded_plan
from ablations.study.file import EvaluateSpec, asked, check_evaluation
from ablations.text.columns import quantity
from ablations.text.numbers import count, duration
from vae.errors import SpecError
from vae.plugins import load_plugin
from vae.sources import Source

__all__ = ["plugins_named", "run"]


def run(options: Namespace, console: Console) -> int:
    """Measure a folder's finished trials, or a model file."""
    if options.place.suffix == ".keras":
        return _model(options, console)
    return _folder(options, console)


def plugins_named(options: Namespace, store: Store | None = None) -> list[Source]:
    """Load the plugins that the command names, and with --plugins the copies that the results hold."""
    named = [*options.plugin, *(rows.plugins_of(store) if store is not None and options.plugins else ())]
    return [load_plugin(path) for path in named]


def _folder(options: Namespace, console: Console) -> int:
    store = Store(options.place)
    sources = plugins_named(options, store)
    study = opened(store)
    said = study.file.evaluate
    evaluate = EvaluateSpec(metrics=options.metrics or said.metrics, options=said.options)
    check_evaluation(evaluate, "--metrics" if options.metrics else str(store.study_file))
    metrics = asked(evaluate, sources)
    began = time.monotonic()
    bars = Bars(console, len(store.names()), study.report.metrics[0])
    try:
        measured, failed = measure_again(store, metrics, crew_of(options), bars)
    finally:
        bars.close()
    with writing(store.root):
        outcome = collect(store, recorded_plan(study, store))
    named = ", ".join(metrics)
    console.print(f"measured {count(measured, 'trial')} in {duration(time.monotonic() - began)}: {escape(named)}")
    for record in failed:
        console.print(f"[red]{record.status}[/] {escape(record.trial)}: {escape(str(record.reason))}", soft_wrap=True)
    if outcome.records:
        console.print(f"  {escape(str(store.table_csv))}", soft_wrap=True)
    console.print(f"next: vaebench report {escape(shlex.quote(str(options.place)))}")
    return FAILED if failed else DONE


def _model(options: Namespace, console: Console) -> int:
    if not options.dataset:
        raise SpecError(f"evaluate {options.place}: say on which images: --dataset NAME, such as --dataset digits")
    sources = plugins_named(options)
    evaluate = EvaluateSpec(metrics=options.metrics or ("default",))
    check_evaluation(evaluate, "--metrics")
    store = Store(options.results / Path(options.name or options.place.stem).name)
    settings = dict(options.set)
    data = {"name": options.dataset, **({"path": options.path} if options.path else {})}
    names = options.encoder, options.decoder
    record = measure_elsewhere(
        options.place,
        store,
        data={**data, "range": options.range},
        settings=settings,
        halves=names,
        metrics=asked(evaluate, sources),
    )
    for name, value in record.metrics.items():
        if value is not None:
            console.print(f"  {escape(quantity(name).heading):32} {value:.{quantity(name).digits or 6}g}")
    console.print(f"next: vaebench report {escape(shlex.quote(str(store.root)))}")
    return DONE
