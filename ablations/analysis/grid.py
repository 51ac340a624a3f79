"""Trials grouped by configuration: what tables, figures and sentences compare."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ablations.records.record import SEED, Record, dataset_of, measured, model_of
from ablations.records.status import Status
from ablations.statistics.intervals import Spread, spread
from ablations.text.columns import MAIN, directed
from ablations.text.numbers import ABSENT, Formats, clean, setting, value_text
from vae.metrics import VALIDATION

__all__ = ["Configuration", "Grid", "best", "chosen_by", "configurations", "ranked"]


@dataclass(frozen=True)
class Configuration:
    """One value per axis, seed left out, with the trials that were made of it.

    Attributes:
        dataset: the data set's name.
        model: the model's name.
        axes: axis -> value without the seed; None where an axis does not apply.
        trials: the done ones that means are taken over: made by the present code where there are any such.
        others: every trial that left no metrics.
        stale: how many of the done trials were made by older code.
    """

    dataset: str
    model: str
    axes: Mapping[str, Any]
    trials: tuple[Record, ...]
    others: tuple[Record, ...]
    stale: int

    @property
    def latent_dim(self) -> int | None:
        """The number of latent dimensions, from the axis or else the spec."""
        value = self.axes.get("latent_dim")
        if value is None:
            for record in self.trials:
                fixed = record.spec.get("model")
                value = fixed.get("latent_dim") if isinstance(fixed, Mapping) else None
        return int(value) if isinstance(value, (int, float)) else None

    @property
    def is_vae(self) -> bool:
        """Whether the trials have a KL term: a deterministic autoencoder has none."""
        return any(math.isfinite(value) for value in self.values("kl"))

    @cached_property
    def key(self) -> tuple[tuple[str, str], ...]:
        """What tells this configuration from another."""
        return tuple((axis, value_text(value)) for axis, value in self.axes.items())

    @cached_property
    def _numbers(self) -> tuple[dict[str, float], ...]:
        return tuple(map(measured, self.trials))

    @cached_property
    def _spreads(self) -> dict[str, Spread]:
        """Those asked for so far: tables, figures and words ask for the same ones again and again."""
        return {}

    def values(self, name: str) -> list[float]:
        """Return the numbers of one column, a seed each."""
        return [numbers[name] for numbers in self._numbers if name in numbers]

    def spread(self, name: str) -> Spread:
        """Return mean and standard deviation of one column over the seeds."""
        if name not in self._spreads:
            self._spreads[name] = spread(self.values(name))
        return self._spreads[name]

    def mean(self, name: str) -> float:
        """Return the mean of one column over the seeds; NaN where nothing (or a NaN) was measured."""
        return self.spread(name).mean

    def representative(self, name: str) -> Record:
        """Return the trial with the median of a metric: pictures show neither the luckiest nor the unluckiest seed."""

        def cost(trial: Record) -> tuple[float, str]:
            return directed(name) * measured(trial).get(name, directed(name) * math.inf), trial.trial

        return sorted(self.trials, key=cost)[(len(self.trials) - 1) // 2]


def configurations(records: Iterable[Record], stale: Collection[str] = ()) -> list[Configuration]:
    """Group records by their axes without the seed, in the order in which they first come; skipped ones are none."""
    groups: dict[tuple[tuple[str, str], ...], list[Record]] = {}
    for record in records:
        if record.status == Status.SKIPPED:
            continue
        key = tuple((axis, value_text(value)) for axis, value in record.axes.items() if axis != SEED)
        groups.setdefault((("dataset", dataset_of(record)), *key), []).append(record)
    return [_configuration(group, stale) for group in groups.values()]


def _configuration(group: Sequence[Record], stale: Collection[str]) -> Configuration:
    done = [record for record in group if record.status == Status.DONE]
    fresh = [record for record in done if record.trial not in stale]
    return Configuration(
        dataset=dataset_of(group[0]),
        model=model_of(group[0]),
        axes={axis: value for axis, value in group[0].axes.items() if axis != SEED},
        trials=tuple(fresh or done),
        others=tuple(record for record in group if record.status != Status.DONE),
        stale=len(done) - len(fresh),
    )


@dataclass(frozen=True)
class Grid:
    """All configurations of a study, how their numbers are printed, and which of these answer its question.

    Attributes:
        configurations: in the order in which their records first come.
        formats: fitted to all records.
        metrics: by which the study's question is answered; at least one.
    """

    configurations: tuple[Configuration, ...]
    formats: Formats
    metrics: tuple[str, ...] = MAIN

    @classmethod
    def of(cls, records: Sequence[Record], stale: Collection[str] = (), metrics: Sequence[str] = MAIN) -> "Grid":
        """Group the records and fit the number formats to them."""
        columns: dict[str, list[float]] = {}
        for record in records:
            for name, value in measured(record).items():
                columns.setdefault(name, []).append(value)
        grouped = tuple(configurations(records, stale))
        formats = Formats.fit(columns, {name: [one.spread(name).sd for one in grouped] for name in columns})
        return cls(grouped, formats, tuple(metrics))

    @property
    def main(self) -> str:
        """The metric that "best" means."""
        return self.metrics[0]

    @cached_property
    def datasets(self) -> list[str]:
        """The data sets' names, in the order in which they first come."""
        return list(dict.fromkeys(one.dataset for one in self.configurations))

    @cached_property
    def varying(self) -> list[str]:
        """The axes (seed and data set left out) that have more than one value in some data set."""
        names = dict.fromkeys(axis for one in self.configurations for axis in one.axes)
        return [axis for axis in names if axis != "dataset" and self._varies(axis)]

    def _varies(self, axis: str) -> bool:
        seen: dict[str, set[str]] = {}
        for one in self.configurations:
            seen.setdefault(one.dataset, set()).add(value_text(one.axes.get(axis)))
        return any(len(values) > 1 for values in seen.values())

    def within(self, dataset: str, *, done: bool = True) -> list[Configuration]:
        """Return the configurations of one data set; only those with a finished trial, unless told otherwise."""
        return [one for one in self.configurations if one.dataset == dataset and (one.trials or not done)]

    def models(self, dataset: str, *, vae: bool = False) -> list[str]:
        """Return the names of the models with a finished trial, only those with a KL term where `vae` is set."""
        return list(dict.fromkeys(one.model for one in self.within(dataset) if one.is_vae or not vae))

    def label(self, one: Configuration, without: Collection[str] = (), *, short: bool = False) -> str:
        """Name a configuration by the settings in which it differs from others."""
        parts = [
            setting(axis, one.axes[axis], short=short)
            for axis in self.varying
            if axis not in without and value_text(one.axes.get(axis)) != ABSENT
        ]
        return clean(", ".join(parts)) or clean(one.model)

    def fixed(self, dataset: str) -> list[str]:
        """Return the settings that all configurations share, in words."""
        first = next(iter(self.within(dataset, done=False)))
        return [
            clean(setting(axis, value))
            for axis, value in first.axes.items()
            if axis not in self.varying and axis != "dataset" and value is not None
        ]


def ranked(choices: Iterable[Configuration], name: str) -> list[Configuration]:
    """Return configurations from the best to the worst mean of a metric; those without the metric are left out.

    On the validation images, where each has it of these: see `chosen_by`.
    """
    known = [one for one in choices if math.isfinite(one.mean(name))]
    by = chosen_by(known, name)
    return sorted(known, key=lambda one: directed(name) * one.mean(by))


def chosen_by(choices: Iterable[Configuration], name: str) -> str:
    """Return the column by which configurations are held against one another in a metric.

    That is the metric on the validation images, where all that have the metric have it of these; else itself.
    """
    twin = f"{VALIDATION}{name}"
    known = [one for one in choices if math.isfinite(one.mean(name))]
    return twin if known and all(math.isfinite(one.mean(twin)) for one in known) else name


def best(choices: Iterable[Configuration], name: str) -> Configuration | None:
    """Return the configuration with the best mean of a metric, if any has it."""
    return next(iter(ranked(choices, name)), None)
