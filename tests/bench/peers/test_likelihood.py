"""What is handed to pythae are the weights of the model whose bound ours is: NumPy alone comes to the same."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from scipy.stats import norm

from bench.peers import likelihood
from bench.peers._environments import Environment
from vae.errors import VaebenchError

DRAWS, IMAGES = 300, 30


def through(arrays: dict[str, np.ndarray], name: str, x: np.ndarray, layers: int) -> np.ndarray:
    for place in range(layers):
        x = np.maximum(x @ arrays[f"{name}_{place}"] + arrays[f"{name}_{place}_bias"], 0)
    return x


def test_weights_and_images_give_our_bound() -> None:
    found, arrays = likelihood.ours(DRAWS, IMAGES)
    images = arrays["images"].reshape(IMAGES, -1)
    features = through(arrays, "encoder", images, 2)
    mean, log_var = (features @ arrays[f"encoder_{i}"] + arrays[f"encoder_{i}_bias"] for i in (2, 3))
    deviation = np.exp(0.5 * log_var)
    z = mean + deviation * np.random.default_rng(0).standard_normal((DRAWS, *mean.shape))
    logits = through(arrays, "decoder", z, 3) @ arrays["decoder_3"] + arrays["decoder_3_bias"]
    pixels = np.log(np.where(images > 0, expit(logits), expit(-logits))).sum(axis=-1)
    weights = pixels + norm.logpdf(z).sum(axis=-1) - norm(mean, deviation).logpdf(z).sum(axis=-1)
    difference = found - (np.log(DRAWS) - logsumexp(weights, axis=0))
    assert abs(difference.mean()) < 4 * difference.std(ddof=1) / np.sqrt(IMAGES)
    assert difference.std() < 0.3


def test_a_peer_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"images": np.zeros((2, 8, 8, 1), np.float32)}
    with pytest.raises(VaebenchError, match="came to nothing"):
        likelihood.theirs(Path(sys.executable), arrays, 5)  # neither PyTorch nor pythae is here
    monkeypatch.setattr(likelihood, "prepare", lambda _: Environment(None, "no such package"))
    with pytest.raises(VaebenchError, match="no such package"):
        likelihood.main([])
