"""Metrics of a trained model: one file a family; per-image values where a mean is the reduction."""

from vae.metrics._base import METRICS, VALIDATION, Array, Metric, groups, metric, usual_metrics
from vae.outcome import Outcome

__all__ = ["METRICS", "VALIDATION", "Array", "Metric", "Outcome", "groups", "metric", "usual_metrics"]
