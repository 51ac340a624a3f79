"""What README promises of the numbers: equal bits with equal threads (test_runner.py), near ones otherwise."""

from pathlib import Path
from typing import Any

import numpy as np

from ablations import Crew, Study, run

TABLE: dict[str, Any] = {
    "name": "threads",
    "fixed": {
        "train.epochs": 5,
        "train.batch_size": 32,
        "data.limit": 512,
        "data.test_limit": 256,
    },
    "axes": {"model": ["dense_vae", "conv"], "latent_dim": [8], "seed": [0]},
}
TOLERANCE = {"mse": 2e-3, "ssim": 2e-3, "kl": 2e-3}  # relative, after 80 steps


def test_another_number_of_threads_changes_no_more_than_rounding_does(tmp_path: Path) -> None:
    tables = [
        run(Study.from_dict(TABLE), tmp_path / str(threads), crew=Crew(workers=1, threads=threads)).table
        for threads in (1, 2)
    ]
    for name, tolerance in TOLERANCE.items():
        np.testing.assert_allclose(tables[0][name], tables[1][name], rtol=tolerance, err_msg=name)
    assert tables[0]["status"].tolist() == ["done", "done"]
