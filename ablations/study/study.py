"""A study: the axes of a question, and the trials that answer it."""

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Self

from ablations.study.file import (
    MOST_ROWS,
    SMOKE,
    Override,
    ReportSpec,
    StudyFile,
    check_metrics,
    check_values,
    dump,
    find,
    listed,
    parse_axes,
    read,
    smoke_values,
)
from ablations.study.ranges import Range, split_ranges
from ablations.study.settings import flatten, nest, resolve, value_at
from ablations.study.stop import StopSpec, check_stop
from ablations.study.trial import HASHED, SLUG_LENGTH, Trial, fingerprint_once, slug
from ablations.study.tune import TuneSpec, check_tune
from vae.errors import SpecError, unknown_name
from vae.networks import NETWORKS
from vae.spec import RunSpec
from vae.terms import TERMS

__all__ = ["Study"]

Skipped = tuple[Mapping[str, Any], str]
"""A row of the grid that is no trial: axis -> value, and why."""


@dataclass(frozen=True)
class Study:
    """A validated study; `trials()` is deterministic, and the same file gives the same trials anywhere.

    Attributes:
        name: names the folder of results.
        title: and `question`: as the report prints them.
        axes: axis -> values, `seed` last.
        fixed: dotted setting -> value, for all trials.
        exclude: rules; a trial that matches every entry of one is skipped.
        include: rows added to the grid, over all seeds.
        override: settings for some of the trials alone.
        report: what the report shows.
        tune: how it is searched, if it says so.
        stop: when trials are stopped early; None trains all to their end.
        ranges: axes that are ranges, for a search; `axes` has their two ends.
        text: the study file as written; loaded again, it is this study.
        where: the file, for error messages.
        source: what was asked for, a built-in's name or a path.
        smoke: whether it was shrunk.
    """

    name: str
    axes: Mapping[str, Sequence[Any]]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    exclude: tuple[Mapping[str, Any], ...] = ()
    include: tuple[Mapping[str, Any], ...] = ()
    override: tuple[Override, ...] = ()
    title: str = ""
    question: str = ""
    report: ReportSpec = field(default_factory=ReportSpec)
    tune: TuneSpec | None = None
    stop: StopSpec | None = None
    ranges: Mapping[str, Range] = field(default_factory=dict)
    text: str = ""
    where: str = "study"
    source: str = "study.toml"
    smoke: bool = False

    @classmethod
    def load(cls, study: str | Path, *, smoke: bool = False) -> Self:
        """Read a built-in study by name, or a TOML file by path.

        Args:
            study: a built-in's name or a path.
            smoke: shrink it: a small balanced subset, one epoch, one seed, first and last value of each other axis.

        Raises:
            SpecError: there is no such study, or it says something that can't be run.
        """
        path = find(study)
        text, table = read(path)
        return cls.from_dict(table, text=text, where=str(path), source=str(study), smoke=smoke)

    @classmethod
    def from_dict(
        cls,
        table: Mapping[str, Any],
        *,
        text: str = "",
        where: str = "study",
        source: str = "study.toml",
        smoke: bool = False,
    ) -> Self:
        """Build a study from the tables of a study file.

        Args:
            table: the tables.
            text: the file as written; made from the tables without it.
            where: names the file in errors.
            source: what was asked for.
            smoke: shrink it, as `load` does.

        Raises:
            SpecError: with the key, what was got, what is expected and the nearest known name.
        """
        check_values(table, where)
        file = StudyFile.parse(table, where)
        text = text or dump(table, where)
        if smoke and not file.smoke:
            text = f"smoke = true\n{text}"
        smoke = smoke or file.smoke
        fixed = {resolve(key, f"{where}: fixed"): value for key, value in flatten(file.fixed).items()}
        listed_axes, ranges = split_ranges(file.axes, where)
        axes = parse_axes(listed_axes, where)
        name = file.name
        if smoke:
            name, fixed = f"{name}-smoke", fixed | SMOKE
            axes = {axis: smoke_values(axis, values) for axis, values in axes.items()}
        study = cls(
            name=name,
            axes=axes,
            fixed=fixed,
            exclude=file.exclude,
            include=file.include,
            override=() if smoke else file.override,  # what a smoke run shrinks must stay small
            title=file.title,
            question=file.question,
            report=file.report,
            tune=file.tune.shrunk() if smoke and file.tune else file.tune,
            stop=file.stop,
            ranges=ranges,
            text=text,
            where=where,
            source=source,
            smoke=smoke,
        )
        try:
            study._check(smoke=smoke)
        except SpecError as error:
            # What is said of a spec by itself doesn't know in which file it stands.
            raise SpecError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None
        fingerprint_once.cache_clear()  # a folder of images may hold others than when the last study was read
        return study

    @property
    def folder_name(self) -> str:
        """A name for the folder of results that is safe on any file system, and no other study's.

        It is the study's own name where that is short, of small letters, digits, dots and dashes; else a digest of the
        name follows, since some file systems take `A` and `a` for one.
        """
        safe = slug(self.name)[:SLUG_LENGTH]
        plain = safe == self.name == self.name.lower() and not HASHED.fullmatch(safe)
        return safe if plain else f"{safe}-{sha256(self.name.encode()).hexdigest()[:8]}"

    @cached_property
    def _rows(self) -> tuple[tuple[Trial, ...], tuple[Skipped, ...]]:
        """The trials, and each row that a rule leaves out, with the rule."""
        rows = itertools.chain(
            (dict(zip(self.axes, values, strict=True)) for values in itertools.product(*self.axes.values())),
            ({**row, "seed": seed} for row in self.include for seed in listed(row.get("seed", self.axes["seed"]))),
        )
        columns = dict.fromkeys([*self.axes, *(key for row in self.include for key in row)])
        columns.pop("seed")
        unique: dict[tuple[str, str | None], Trial] = {}
        skipped: list[Skipped] = []
        for row in rows:
            reason = self.excluded(row)
            if reason:
                skipped.append(({axis: row.get(axis) for axis in (*columns, "seed")}, reason))
                continue
            spec = self._spec(row)
            axes = {axis: self._shown(spec, axis) for axis in (*columns, "seed")}
            # Two rows that differ in what the model doesn't have (a KL weight without a KL term) are one trial.
            unique.setdefault((spec.identity(), spec.data.path), Trial(axes, spec))
        return tuple(unique.values()), tuple(skipped)

    def trials(self) -> Iterator[Trial]:
        """Yield the trials in the order of the axes, equal ones once."""
        return iter(self._rows[0])

    def skipped(self) -> Iterator[Skipped]:
        """Yield (axes, reason) of each row of the grid that an exclude rule leaves out; the reason is the rule."""
        return iter(self._rows[1])

    def trial(self, row: Mapping[str, Any]) -> Trial:
        """Return the trial of one row: axis -> value, `seed` last, and settings that are no axis of the study.

        Raises:
            SpecError: the settings don't go together.
        """
        spec = self._spec(row)
        return Trial({axis: self._shown(spec, axis) for axis in row}, spec)

    def excluded(self, row: Mapping[str, Any]) -> str | None:
        """Return the exclude rule that leaves a row out, in words; None where none does."""
        for index, rule in enumerate(self.exclude, 1):
            if _matches(row, rule):
                return f"by exclude {index}: {_rule_text(rule)}"
        return None

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self._rows[0])

    @property
    def duplicates(self) -> int:
        """Rows of the grid that were the same trial as another."""
        return self._size - sum(map(len, self._rows))

    @property
    def _size(self) -> int:
        """Rows of the grid, before any is left out."""
        included = sum(len(listed(row.get("seed", self.axes["seed"]))) for row in self.include)
        return prod(map(len, self.axes.values())) + included

    def _spec(self, row: Mapping[str, Any]) -> RunSpec:
        flat = dict(self.fixed)
        for rule in self.override:
            if _matches(row, rule.when):
                flat |= {resolve(key, self.where): value for key, value in flatten(rule.set).items()}
        flat |= {resolve(key, self.where): value for key, value in row.items()}
        network = NETWORKS[str(flat.get("model.name", "conv"))]
        options = network.model_fields
        flat["model.name"] = flat.get("model.name", "conv")
        kept = {
            key: value
            for key, value in flat.items()
            if not key.startswith("model.") or key.partition(".")[2] in options
        }
        return RunSpec.parse(nest(kept), "")

    def _shown(self, spec: RunSpec, axis: str) -> Any:
        return value_at(spec, resolve(axis, self.where))

    def _check(self, *, smoke: bool) -> None:
        """Try every value by itself first, so that an error names its axis; then every trial."""
        if self._size > MOST_ROWS:
            raise SpecError(
                f"{self.where}: axes: got a grid of {self._size:,} rows, expected at most {MOST_ROWS:,}. Take some out"
            )
        first = {axis: values[0] for axis, values in self.axes.items()}
        for axis, values in self.axes.items():
            for value in values:
                try:
                    self._spec(first | {axis: value})
                except SpecError as error:
                    # A value may be good with other values than the first: then the trials below decide.
                    if _concerns(error, resolve(axis, self.where), value):
                        raise SpecError(f"{self.where}: axes.{axis} = {value!r}: {error}") from None
        self._check_options()
        self._check_rules(smoke=smoke)
        check_metrics(self.report.metrics, self.where)
        if self.tune or self.ranges:
            check_tune(self.tune or TuneSpec(), self.axes, self.ranges, self.where)
        if self.stop:
            check_stop(self.stop, self.axes, list(TERMS), self.where)
        if not self._rows[0]:
            raise SpecError(f"{self.where}: no trial is left: the exclude rules match the whole grid. Relax them")

    def _check_options(self) -> None:
        """Refuse a model setting that none of the study's networks has."""
        models = [str(name) for name in self.axes.get("model", (self.fixed.get("model.name", "conv"),))]
        models += [str(row["model"]) for row in self.include if "model" in row]
        places = {resolve(axis, self.where): f"axes.{axis}" for axis in self.axes} | {
            key: f"fixed.{key}" for key in self.fixed
        }
        for place, key in places.items():
            option = place.partition(".")[2]
            if place.startswith("model.") and not any(option in NETWORKS[name].model_fields for name in models):
                owners = [name for name, network in NETWORKS.items() if option in network.model_fields]
                raise SpecError(
                    f"{self.where}: {key}: none of the study's models ({', '.join(models)}) has this setting; "
                    f"{', '.join(owners)} has. Add it to the models, or take the setting out",
                )

    def _check_rules(self, *, smoke: bool) -> None:
        """Refuse a rule that speaks of something the study doesn't have."""
        rules = [(f"exclude {index}", rule) for index, rule in enumerate(self.exclude, 1)]
        rules += [(f"override {index}: when", rule.when) for index, rule in enumerate(self.override, 1)]
        for name, rule in rules:
            for key, value in rule.items():
                place = f"{self.where}: {name}"
                if key not in self.axes:
                    raise SpecError(f"{place}: {unknown_name('axis', key, self.axes)}")
                missing = [item for item in listed(value) if item not in self.axes[key]]
                if missing and not smoke:  # which takes values out of the axes itself
                    raise SpecError(
                        f"{place}: {key} = {missing[0]!r} is not a value of that axis: {list(self.axes[key])}",
                    )
        axes = {resolve(axis, self.where) for axis in self.axes}
        for index, override in enumerate(self.override, 1):
            for key in flatten(override.set):
                if resolve(key, f"{self.where}: override {index}: set") in axes:
                    raise SpecError(f"{self.where}: override {index}: {key} is an axis: exclude values of it instead")
        named = [(f"include {index}", key) for index, row in enumerate(self.include, 1) for key in row]
        for name, key in [*named, *(("report.baseline", key) for key in self.report.baseline)]:
            resolve(key, f"{self.where}: {name}")


def _concerns(error: SpecError, place: str, value: Any) -> bool:
    """Tell whether an error speaks of one setting or value rather than of how several go together."""
    return place in str(error) or repr(value) in str(error) or str(value) in str(error)


def _matches(row: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(row.get(key) in listed(value) for key, value in rule.items())


def _rule_text(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in rule.items())
