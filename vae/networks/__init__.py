"""Networks: one file an entry; each gives an encoder to features and a decoder from the latent space."""

from vae.networks._base import NETWORKS, Network, network
from vae.networks._layered import LayeredNetwork

__all__ = ["NETWORKS", "LayeredNetwork", "Network", "network"]
