"""From times to verdicts: what a change did to a benchmark's time, and how sure that is.

Every process has a time of its own (where its memory came to lie, how its hash tables fell), which repeating calls in
it does not average out (Mytkowicz et al., 2009; Kalibera and Jones, 2013). So processes are what is counted and
resampled; blocks within a process only make its own time exact. A control, a second process of the base, tells how far
two processes of the same code lie apart.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["CONFIDENCE", "Change", "Judged", "Outcome", "compare", "confirming_level", "exact", "judge", "suspicious"]

CONFIDENCE = 0.99
CONFIRMING = 0.95  # of the second, independent run: both must agree
FOUND = 0.95  # how often an effect must be found to count as one that would have been seen
RESAMPLES = 10_000
TRIMMED = 0.25  # of a process's blocks at either end: what remains is the interquartile mean
HEAD, BASE, CONTROL = 0, 1, 2
_CONTROL_SCALE = math.sqrt(3) / 2  # var(head - mean of two) = 3/2 of a process's, var(base - control) = 2 of it

Outcome = Literal["regressed", "improved", "unchanged", "inconclusive"]
Array = NDArray[np.floating]


@dataclass(frozen=True)
class Change:
    """How much longer the head takes than the base; logarithms of time ratios, so 0.0953 is 10 % longer.

    Attributes:
        estimate: the mean over rounds.
        low: and `high`: the bootstrap interval of `estimate`.
        error: standard error of the estimate.
        control: what the same measurement made of base against base; the truth is 0.
        residuals: how far each round's processes lie from what they estimate, head and control alike.
        freedom: degrees of freedom of `error`.
    """

    estimate: float
    low: float
    high: float
    error: float
    control: float
    residuals: tuple[float, ...]
    freedom: int

    @property
    def smallest(self) -> float:
        """The smallest change that would have been found in 95 of 100 runs like this one.

        Estimates scatter by `error`, and so does, since few processes tell it, the interval's width (the noncentral t
        distribution, in the approximation of Johnson and Welch, 1940).
        """
        half = (self.high - self.low) / 2
        scatter = math.hypot(self.error, half / math.sqrt(2 * self.freedom))
        return half + float(stats.norm.ppf(FOUND)) * scatter


def compare(times: Array, *, confidence: float = CONFIDENCE, earlier: Change | None = None, seed: int = 0) -> Change:
    """Return the change of one benchmark.

    Within a block the log ratio is that of the head to the geometric mean of the base's two processes; a round's ratio
    is the interquartile mean over its blocks; the estimate is their mean over rounds. Its interval comes from a
    bootstrap of processes (blocks are within them: to resample these as well would count their noise twice, Davison and
    Hinkley 1997, section 3.8) over the residuals of the head and, since its true mean is known, of the control. As they
    are few, deviates are widened by sqrt(n / (n - 1)) and by the ratio of Student's t to the normal quantile
    (Hesterberg, 2015).

    Args:
        times: (rounds, blocks, 3) seconds of head, base, control; at least two rounds.
        confidence: of the two-sided interval.
        earlier: the first measurement, where this one confirms it: its noise is the same machine's, and is pooled.
        seed: of the resampling.

    Raises:
        ValueError: the shape is another, or a time is not a positive number.
    """
    if times.ndim != 3 or times.shape[0] < 2 or times.shape[1] < 1 or times.shape[2] != 3:  # noqa: PLR2004
        raise ValueError(f"times of shape {times.shape}, expected (at least 2 rounds, blocks, 3 roles)")
    if not (np.isfinite(times).all() and (times > 0).all()):
        raise ValueError("a time is not a positive number")
    logs = np.log(times)
    heads = _process_mean(logs[..., HEAD] - (logs[..., BASE] + logs[..., CONTROL]) / 2)
    controls = _process_mean(logs[..., BASE] - logs[..., CONTROL])
    rounds, estimate = len(heads), float(heads.mean())
    residuals = np.concatenate([(heads - estimate) * math.sqrt(rounds / (rounds - 1)), controls * _CONTROL_SCALE])
    freedom = 2 * rounds - 1
    if earlier is not None:
        residuals = np.concatenate([residuals, earlier.residuals])
        freedom += earlier.freedom
    deviates = _resampled_means(residuals, rounds, np.random.default_rng(seed))
    tail = (1 - confidence) / 2
    widen = float(stats.t.ppf(1 - tail, freedom) / stats.norm.ppf(1 - tail))
    low, high = np.quantile(deviates, [tail, 1 - tail]) * widen
    return Change(
        estimate=estimate,
        low=estimate + float(low),
        high=estimate + float(high),
        error=float(np.sqrt(np.mean(residuals**2) / rounds)),
        control=float(controls.mean()),
        residuals=tuple(map(float, residuals)),
        freedom=freedom,
    )


def _process_mean(ratios: Array) -> Array:
    """Return the interquartile mean over blocks, (rounds,)."""
    return np.asarray(stats.trim_mean(ratios, TRIMMED, axis=1))


def _resampled_means(residuals: Array, rounds: int, rng: np.random.Generator) -> Array:
    """Return means of as many residuals as there are rounds; either sign is as likely, since processes are alike."""
    picked = rng.choice(residuals, (RESAMPLES, rounds)) * rng.choice([-1.0, 1.0], (RESAMPLES, rounds))
    return np.asarray(picked.mean(axis=1))


def confirming_level(benchmarks: int) -> float:
    """Return the confidence of the confirming run's interval, so that all benchmarks together keep within 1 %.

    Bonferroni: a false alarm needs both independent runs, so its chance is the product of theirs, and n products of
    0.5 % and 2.5 % (one direction) stay below 0.5 % up to n = 40; beyond, the second is made stricter.
    """
    first = (1 - CONFIDENCE) / 2
    share = (1 - CONFIDENCE) / 2 / max(benchmarks, 1) / first
    return 1 - 2 * min((1 - CONFIRMING) / 2, share)


def suspicious(change: Change, threshold: float) -> Literal["regressed", "improved"] | None:
    """Say which way a change goes, where the interval leaves zero out and it is larger than the threshold.

    Args:
        change: the change.
        threshold: relative change below which nobody cares, such as 0.03.
    """
    if change.low > 0 and change.estimate > _floor(change, threshold):
        return "regressed"
    if change.high < 0 and -change.estimate > _floor(change, threshold):
        return "improved"
    return None


def _floor(change: Change, threshold: float) -> float:
    """The threshold, or what base against base came to in the same run, if that is more."""
    return max(math.log1p(threshold), abs(change.control))


@dataclass(frozen=True)
class Judged:
    """A verdict and what it rests on.

    Attributes:
        outcome: the verdict.
        change: the first measurement.
        confirmation: the confirming one, where the first was suspicious.
    """

    outcome: Outcome
    change: Change
    confirmation: Change | None = None


def judge(change: Change, confirmation: Change | None, *, threshold: float, resolution: float) -> Judged:
    """Return the verdict on one benchmark.

    Args:
        change: the first measurement.
        confirmation: the one in fresh processes; None where there was none.
        threshold: relative change below which nobody cares.
        resolution: `unchanged` means that a relative change of this size would have been seen, else it is inconclusive.
    """
    first = suspicious(change, threshold)
    if first and confirmation and suspicious(confirmation, threshold) == first:
        return Judged(first, change, confirmation)
    seen = change.smallest <= math.log1p(resolution) and not first
    # A suspicion that was not confirmed is cleared by the confirming run, if that could see as much.
    cleared = first and confirmation and confirmation.smallest <= math.log1p(resolution)
    return Judged("unchanged" if seen or cleared else "inconclusive", change, confirmation)


def exact(head: Mapping[str, int], base: Mapping[str, int]) -> Sequence[tuple[str, int | None, int | None, str]]:
    """Compare counters, which carry no noise: any increase is a regression.

    Returns rows of (name, base, head, verdict); verdict is regressed, improved, unchanged, new or gone.
    """
    rows = []
    for name in sorted(head.keys() | base.keys()):
        now, before = head.get(name), base.get(name)
        if now is None or before is None:
            verdict = "new" if before is None else "gone"
        else:
            verdict = "unchanged" if now == before else "regressed" if now > before else "improved"
        rows.append((name, before, now, verdict))
    return rows
