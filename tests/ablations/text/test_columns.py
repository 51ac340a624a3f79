"""A metric says itself what its column is; whoever asks for a column asks the metric."""

from collections.abc import Iterator

import pytest

from ablations.text.columns import FLOOR, directed, known_quantities, order, quantity
from ablations.text.numbers import Formats
from vae.metrics import METRICS, Metric


@pytest.fixture
def added() -> Iterator[Metric]:
    one = Metric("sharpness", "sharpness of edges", lambda _: 1.0, "sharpness", "dB", "higher", digits=2, order=3)
    with METRICS.temporarily(one.name, one):
        yield one


def test_a_column_is_what_its_metric_says(added: Metric) -> None:
    what = quantity("sharpness")
    assert (what.heading, what.word, what.best, directed("sharpness")) == (
        "sharpness of edges (dB)",
        "sharpness",
        "highest",
        -1.0,
    )
    assert Formats.fit({"sharpness": [12.34]}).number("sharpness", 12.34) == "12"
    assert Formats.fit({"psnr": [12.34]}).number("psnr", 12.34) == "12.3"
    assert "sharpness" in known_quantities()


def test_columns_stand_in_the_order_that_metrics_ask_for(added: Metric) -> None:
    names = {"train_seconds", "zeta", "ssim", "alpha", "sharpness", "mse", FLOOR}
    assert order(names) == ["mse", "sharpness", "ssim", FLOOR, "train_seconds", "alpha", "zeta"]


def test_every_metric_has_its_own_place() -> None:
    places = [one.order for one in METRICS.values() if one.order is not None]
    assert len(places) == len(set(places))


def test_a_metric_without_a_short_name_is_called_by_its_label() -> None:
    assert (quantity("mse").word, quantity("ssim").word) == ("MSE", "SSIM")
    assert (quantity("mse").best, quantity("train_seconds").best) == ("lowest", "lowest")
