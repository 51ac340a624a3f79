"""CIFAR-100: small photographs of a hundred kinds of objects (Krizhevsky, 2009)."""

from collections.abc import Sequence
from typing import ClassVar

from vae.datasets._base import DATASETS
from vae.datasets._cifar import LICENCE, SOURCE, CifarDataset
from vae.datasets._official import OfficialFile

__all__ = ["Cifar100"]

_FINE_LABELS = """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
    castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
    elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
    lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
    pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal
    shark shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank
    telephone television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


@DATASETS.register("cifar100")
class Cifar100(CifarDataset):
    """Photographs of objects, 100 (fine) classes, 32 x 32 colour, 50,000 training and 10,000 test images."""

    title = "CIFAR-100"
    licence = LICENCE
    source = SOURCE
    keras = "cifar100"
    label_key = "fine_labels"
    folders = (
        "cifar100",
        "cifar100/cifar-100-python",
        "cifar-100-python",
        "cifar-100-python-target/cifar-100-python",
    )
    archives = ("cifar-100-python.tar.gz", "cifar-100-python-target_archive")
    class_names = tuple(_FINE_LABELS.split())
    # Of files that have the published MD5s, given beside each.
    files: ClassVar[Sequence[OfficialFile]] = (
        # 16019d7e3df5f24257cddd939b257f8d
        OfficialFile("train", 155_249_918, "735e79b04f092ca3d2e6d07f368c0a7d70d48c48d28865950cc24454cf45129b"),
        # f0ef6b0ae62326f3e7ffdfab6717acfc
        OfficialFile("test", 31_049_707, "4b67687d9933c4db8f0831104447f15b93774f4f464bd0516f0f0f2ac83b7864"),
    )
