"""Fashion-MNIST: articles of clothing (Xiao, Rasul, Vollgraf, 2017)."""

from collections.abc import Sequence
from typing import ClassVar

from vae.datasets._base import DATASETS
from vae.datasets._idx import NAMES, IdxDataset
from vae.datasets._official import OfficialFile

__all__ = ["FashionMnist"]


@DATASETS.register("fashion_mnist")
class FashionMnist(IdxDataset):
    """Articles of clothing, 10 classes, 28 x 28 grey, 60,000 training and 10,000 test images."""

    title = "Fashion-MNIST"
    licence = "MIT, Zalando SE"
    source = "Xiao, Rasul, Vollgraf, Fashion-MNIST: a novel image dataset for benchmarking, arXiv:1708.07747, 2017"
    keras = "fashion_mnist"
    folders = ("fashion_mnist", "fashion-mnist", "FashionMNIST/raw", "FashionMNIST")
    class_names = (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
    # Of the content: packagers strip name and time from the gzip header, which leaves the content alone.
    files: ClassVar[Sequence[OfficialFile]] = (
        OfficialFile(NAMES[0], 47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
        OfficialFile(NAMES[1], 60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
        OfficialFile(NAMES[2], 7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
        OfficialFile(NAMES[3], 10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    )
