"""Pins: one short id of all that a figure was measured by. Figures under different pins do not compare."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

from mnistgan.errors import PinsError

PART = 6  # hex digits: a change goes unseen once in 17 million


@dataclass(frozen=True)
class Pins:
    """The parts of the id. All are text, so that an id read back from a metrics file names what differs by itself."""

    classifier: str  # the classifier's digest and the layers read from it
    pixels: str  # the pixel ruler's digest
    splits: str  # the images of train, validation and test
    samples: str  # N
    latent_seed: str  # which samples; `outside` for images that came as a file

    def __str__(self) -> str:
        """``CLASSIFIER-PIXELS-SPLITS-SAMPLES-SEED``, for instance ``3f2a1c-91be00-77aa42-10000-1``."""
        return "-".join(getattr(self, field.name) for field in fields(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses an id. Raises PinsError for text that is none."""
        parts = text.split("-")
        if len(parts) != len(fields(cls)) or not all(parts):
            raise PinsError(f"pins {text!r}: expected {len(fields(cls))} parts joined by dashes; evaluate again")
        return cls(*parts)


NAMES = {
    "classifier": "the classifier ruler or its layers",
    "pixels": "the pixel ruler",
    "splits": "the images of train, validation or test",
    "samples": "the number of samples",
    "latent_seed": "the latents' seed",
}


def pins(
    classifier: str, layers: Sequence[str], pixels: str, splits: Sequence[str], samples: int, latent_seed: int | None
) -> Pins:
    """Makes the pins of an evaluation from the classifier's digest and layers, the pixel ruler's digest, the digests of
    train, validation and test, N, and the latents' seed (None for images from outside)."""
    return Pins(
        _short([classifier, *layers]),
        _short([pixels]),
        _short(splits),
        str(samples),
        "outside" if latent_seed is None else str(latent_seed),
    )


def _short(parts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:PART]


def check_same(one: str, other: str) -> None:
    """Raises PinsError that names each part in which two ids differ."""
    a, b = Pins.parse(one), Pins.parse(other)
    differing = [
        f"{meaning} ({getattr(a, part)} and {getattr(b, part)})"
        for part, meaning in NAMES.items()
        if getattr(a, part) != getattr(b, part)
    ]
    if differing:
        raise PinsError(
            f"pins {one} and {other}: different {'; '.join(differing)}; measure both again by the same rulers"
        )
