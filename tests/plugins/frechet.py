"""The Frechet distance between samples and test images, in principal components."""

import numpy as np

import vaebench as vb


@vb.metric("own_frechet", "Fréchet distance in PCs", better="lower", digits=4, expense="high")
def own_frechet(outcome: vb.Outcome, components: int = 32, count: int = 500) -> float | None:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of Gaussians fitted to samples and test images."""
    samples = outcome.samples(count)
    if samples is None:
        return None
    train = outcome.reference_images.reshape(len(outcome.reference_images), -1).astype(np.float64)
    mean = train.mean(axis=0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:components]
    real, made = ((one.reshape(len(one), -1) - mean) @ axes.T for one in (outcome.images, samples))
    m = [one.mean(axis=0) for one in (real, made)]
    c = [np.cov(one.T) for one in (real, made)]
    root = np.sqrt(np.maximum(np.linalg.eigvals(c[0] @ c[1]).real, 0)).sum()
    return float(np.square(m[0] - m[1]).sum() + np.trace(c[0]) + np.trace(c[1]) - 2 * root)
