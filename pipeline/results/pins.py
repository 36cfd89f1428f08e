"""Computes the pins that a measuring would write, from the rulers' cards and evaluate's params."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.dvcfiles import layout
from pipeline.dvcfiles.dvc_lock import Part

RULERS = ("classifier", "pixels")


def pins_of(rulers: Mapping[str, Mapping[str, Any]], asked: Mapping[str, Any]) -> str:
    """Makes the pins from the cards of both rulers and evaluate's params."""
    from mnistgan.rulers.pins import pins

    classifier, pixels = (rulers[name] for name in RULERS)
    splits: Sequence[str] = [classifier["data"][split]["sha256"] for split in ("train", "validation", "test")]
    layers = list(classifier["layers"])
    return str(pins(classifier["sha256"], layers, pixels["sha256"], splits, asked["samples"], asked["latent_seed"]))


def pins_to_write(parts: Mapping[str, Part], workspace: Path = Path()) -> str:
    """Makes the pins that evaluate would write, by the rulers' cards. Raises RulerError where there are none."""
    from mnistgan.files import read_json
    from mnistgan.rulers.cards import card_path

    evaluate = parts["evaluate"]
    folder = workspace / evaluate.options["rulers"]
    cards = {name: read_json(card_path(folder, name)) for name in RULERS}
    return pins_of(cards, evaluate.params[str(layout.PARAMS)]["evaluate"])
