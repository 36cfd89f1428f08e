"""The four raw MNIST files and their pinned digests."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mnistgan.datasets import idx
from mnistgan.errors import DigestError, FormatError


@dataclass(frozen=True)
class RawFile:
    """One IDX file: its name, what it holds, and the sha256 of its unpacked bytes."""

    name: str
    holds: Literal["images", "labels"]
    count: int
    sha256: str

    @property
    def size(self) -> int:
        """Size in bytes, header included."""
        if self.holds == "images":
            return 16 + self.count * math.prod(idx.IMAGE_SHAPE)
        return 8 + self.count

    def verify(self, content: bytes) -> None:
        """Raises DigestError where ``content`` is not the pinned, with what is wrong inside where that can be told."""
        digest = hashlib.sha256(content).hexdigest()
        if digest == self.sha256:
            return
        raise DigestError(
            f"{self._difference(content)}; not the pinned file: sha256 {digest[:12]}… of {len(content):,} bytes, "
            f"should be {self.sha256[:12]}… of {self.size:,}"
        )

    def _difference(self, content: bytes) -> str:
        parse = idx.parse_images if self.holds == "images" else idx.parse_labels
        try:
            found = len(parse(content, self.name))
        except FormatError as error:
            return str(error)
        if found != self.count:
            return f"{self.name}: {found:,} {self.holds}, where {self.count:,} belong"
        return f"{self.name}: well-formed, but other {self.holds} than MNIST's"


TRAIN_IMAGES = RawFile(
    "train-images-idx3-ubyte", "images", 60_000, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
)
TRAIN_LABELS = RawFile(
    "train-labels-idx1-ubyte", "labels", 60_000, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
)
TEST_IMAGES = RawFile(
    "t10k-images-idx3-ubyte", "images", 10_000, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
)
TEST_LABELS = RawFile(
    "t10k-labels-idx1-ubyte", "labels", 10_000, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
)
MNIST: Sequence[RawFile] = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
