"""Networks: one file an entry; each describes its encoder and decoder as layers, so that its cost is known unbuilt."""

from vae.networks._base import NETWORKS, Cost, Network

__all__ = ["NETWORKS", "Cost", "Network"]
