"""MNIST's pinned rulers, as if they were of a test's own few images: stages refuse those of other data."""

import shutil
from pathlib import Path

from mnistgan import files
from mnistgan.datasets.arrays import Images
from mnistgan.rulers import cards
from pipeline import ROOT


def lay_out_rulers(folder: Path, **splits: Images) -> None:
    """Write them into a folder, as made of these images, by the split's name."""
    shutil.copytree(ROOT / "pretrained" / "mnist", folder)
    for name in cards.RULERS:
        _, card = cards.read(folder, name)
        card["data"] |= {split: {"images": len(images), "sha256": images.digest} for split, images in splits.items()}
        files.write_json(cards.card_path(folder, name), card)
