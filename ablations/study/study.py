"""A study: the axes of a question, and the trials that answer it."""

import json
import os.path
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from ablations.study.checks import check_design, check_options, check_rules
from ablations.study.file import (
    MOST_ROWS,
    SMOKE,
    Said,
    StudyFile,
    asked,
    check_evaluation,
    check_metrics,
    check_values,
    find,
    listed,
    parse_axes,
    read,
    smoke_values,
)
from ablations.study.places import PATH, is_relative, located, names_relative
from ablations.study.plugins import brought
from ablations.study.ranges import Range, split_ranges
from ablations.study.settings import Settings, flatten, value_at
from ablations.study.stop import check_stop
from ablations.study.text import text_of
from ablations.study.trial import HASHED, SLUG_LENGTH, Trial, fingerprint_once, slug
from ablations.study.tune import TuneSpec, check_tune
from vae.errors import SpecError
from vae.sources import Source
from vae.spec import RunSpec
from vae.terms import TERMS

__all__ = ["Study"]

Skipped = tuple[Mapping[str, Any], str]
"""A row that is no trial: axis -> value, and why."""


@dataclass(frozen=True)
class Study(Said):
    """A validated study; `trials()` is deterministic, and the same file gives the same trials anywhere.

    Attributes:
        file: what it says; of a smoke run, shrunk.
        axes: axis -> values, `seed` last; of a range, its two ends.
        fixed: dotted setting -> value, for all trials.
        ranges: axes that are ranges, for a search.
        settings: what its names of settings stand for.
        folder: that a relative `data.path` hangs on.
        text: the study file as written; loaded again, it is this study.
        where: the file, for error messages.
        source: what was asked for, a built-in's name or a path.
        sources: the texts of its plugins.
    """

    file: StudyFile
    axes: Mapping[str, Sequence[Any]]
    fixed: Mapping[str, Any]
    ranges: Mapping[str, Range]
    settings: Settings = field(repr=False, compare=False)
    folder: str = field(compare=False)
    text: str = field(repr=False)
    where: str
    source: str
    sources: tuple[Source, ...] = ()

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
            where: names the file in errors; relative paths hang on its folder.
            source: what was asked for.
            smoke: shrink it, as `load` does.

        Raises:
            SpecError: with the key, what was got, what is expected and the nearest known name.
        """
        check_values(table, where)
        sources = brought(table, where)
        file = StudyFile.parse(table, where)
        settings = Settings(RunSpec)
        folder = os.path.join(os.path.dirname(os.path.abspath(where)), file.folder)  # noqa: PTH100, PTH118, PTH120
        with _said_of(where):
            flat = flatten(file.fixed)
            fixed = {place: flat[key] for place, key in settings.once(flat, f"{where}: fixed")}
            listed_axes, ranges = split_ranges(file.axes, where)
            axes = parse_axes(listed_axes, settings, where)
            relative = names_relative(file, axes, settings) or any(map(is_relative, file.plugins))
        added: dict[str, Any] = {"smoke": True} if smoke and not file.smoke else {}
        if relative and folder != file.folder:
            added["folder"] = folder  # the copy among the results is read from another place
        text = text_of(text, table, added, where)
        if smoke or file.smoke:
            file, fixed = file.shrunk(), fixed | SMOKE
            axes = {axis: smoke_values(axis, values) for axis, values in axes.items()}
        study = cls(
            file=file,
            axes=axes,
            fixed=fixed,
            ranges=ranges,
            settings=settings,
            folder=folder,
            text=text,
            where=where,
            source=source,
            sources=sources,
        )
        with _said_of(where):
            study._check()
        fingerprint_once.cache_clear()  # a folder of images may hold others than when the last study was read
        return study

    @cached_property
    def metrics(self) -> Mapping[str, Mapping[str, Any]]:
        """What is measured: metric -> its settings."""
        return asked(self.file.evaluate, self.sources)

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
        columns = dict.fromkeys([*self.axes, *(key for row in self.file.include for key in row)])
        columns.pop("seed")
        unique: dict[tuple[str, str | None], Trial] = {}
        skipped: list[Skipped] = []
        for row in self._asked():
            reason = self.excluded(row)
            if reason:
                skipped.append(({axis: row.get(axis) for axis in (*columns, "seed")}, reason))
                continue
            spec = self._spec(row)
            axes = {axis: self._shown(spec, row, axis) for axis in (*columns, "seed")}
            # Two rows that differ in what the model doesn't have (a KL weight without a KL term) are one trial.
            unique.setdefault((spec.identity, spec.data.path), Trial(axes, spec))
        return tuple(unique.values()), tuple(skipped)

    def _asked(self) -> Iterator[dict[str, Any]]:
        """Yield the design's rows and those that are added to it, each with every seed."""
        for row in self.file.design.rows(self._chosen):
            yield from ({**row, "seed": seed} for seed in self.axes["seed"])
        for row in self.file.include:
            yield from ({**row, "seed": seed} for seed in self._seeds(row))

    @property
    def _chosen(self) -> dict[str, Sequence[Any]]:
        """The axes of the design, which are all but the seed."""
        return {axis: values for axis, values in self.axes.items() if axis != "seed"}

    def _seeds(self, row: Mapping[str, Any]) -> Sequence[Any]:
        """Return the seeds of an added row."""
        return listed(row.get("seed", self.axes["seed"]))

    def trials(self) -> Iterator[Trial]:
        """Yield the trials in the order of the axes, equal ones once."""
        return iter(self._rows[0])

    def skipped(self) -> Iterator[Skipped]:
        """Yield (axes, reason) of each row that an exclude rule leaves out; the reason is the rule."""
        return iter(self._rows[1])

    def trial(self, row: Mapping[str, Any]) -> Trial:
        """Return the trial of one row: axis -> value, `seed` last, and settings that are no axis of the study.

        Raises:
            SpecError: the settings don't go together.
        """
        spec = self._spec(row)
        return Trial({axis: self._shown(spec, row, axis) for axis in row}, spec)

    def excluded(self, row: Mapping[str, Any]) -> str | None:
        """Return the exclude rule that leaves a row out, in words; None where none does."""
        for index, rule in enumerate(self.file.exclude, 1):
            if _matches(row, rule):
                return f"by exclude {index}: {_rule_text(rule)}"
        return None

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self._rows[0])

    @property
    def duplicates(self) -> int:
        """Rows that were the same trial as another."""
        return self._size - sum(map(len, self._rows))

    @property
    def _size(self) -> int:
        """Rows, before any is left out."""
        included = sum(len(self._seeds(row)) for row in self.file.include)
        return self.file.design.size(self._chosen) * len(self.axes["seed"]) + included

    def _spec(self, row: Mapping[str, Any]) -> RunSpec:
        flat = dict(self.fixed)
        resolve = self.settings.resolve
        for rule in self.file.override:
            if _matches(row, rule.when):
                flat |= {resolve(key, self.where): value for key, value in flatten(rule.set).items()}
        flat |= {resolve(key, self.where): value for key, value in row.items()}
        if PATH in flat:
            flat[PATH] = located(flat[PATH], self.folder)
        return self.settings.spec(flat)

    def _shown(self, spec: RunSpec, row: Mapping[str, Any], axis: str) -> Any:
        place = self.settings.resolve(axis, self.where)
        return row.get(axis, self.fixed.get(PATH)) if place == PATH else value_at(spec, place)

    def _check(self) -> None:
        """Try every value by itself first, so that an error names its axis; then every trial."""
        file = self.file
        if self._size > MOST_ROWS:
            raise SpecError(
                f"{self.where}: axes: got a {file.design.title} of {self._size:,} rows, expected at most "
                f"{MOST_ROWS:,}. Take some out"
            )
        check_design(file, self.ranges, self.where)
        first = {axis: values[0] for axis, values in self.axes.items()}
        for axis, values in self.axes.items():
            for value in values:
                try:
                    self._spec(first | {axis: value})
                except SpecError as error:
                    # A value may be good with other values than the first: then the trials below decide.
                    if _concerns(error, self.settings.resolve(axis, self.where), value):
                        raise SpecError(f"{self.where}: axes.{axis} = {value!r}: {error}") from None
        check_rules(file, self.axes, self.settings, self.where)
        check_options(file, self.axes, self.fixed, self.settings, self.where)
        check_metrics(file.report.metrics, self.where)
        check_evaluation(file.evaluate, self.where)
        varied = {
            self.settings.resolve(axis, self.where): axis for axis, values in self.axes.items() if len(values) > 1
        }
        if file.tune or self.ranges:
            check_tune(file.tune or TuneSpec(), self.axes, self.ranges, self.where, varied)
        if file.stop:
            check_stop(file.stop, self.axes, list(TERMS), self.where, varied)
        if not self._rows[0]:
            raise SpecError(
                f"{self.where}: no trial is left: the exclude rules match the whole {file.design.title}. Relax them"
            )


@contextmanager
def _said_of(where: str) -> Iterator[None]:
    """Name the file in errors that don't know in which they stand."""
    try:
        yield
    except SpecError as error:
        raise SpecError(str(error) if str(error).startswith(where) else f"{where}: {error}") from None


def _concerns(error: SpecError, place: str, value: Any) -> bool:
    """Tell whether an error speaks of one setting or value rather than of how several go together."""
    return place in str(error) or repr(value) in str(error) or str(value) in str(error)


def _matches(row: Mapping[str, Any], rule: Mapping[str, Any]) -> bool:
    return all(row.get(key) in listed(value) for key, value in rule.items())


def _rule_text(rule: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in rule.items())
