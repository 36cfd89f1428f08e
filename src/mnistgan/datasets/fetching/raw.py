"""The four raw IDX files of a data set, and their pinned digests."""

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

from mnistgan.datasets import idx
from mnistgan.datasets.contract import IDX_FILES, DataSet
from mnistgan.errors import DigestError, FormatError, OtherDataError


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
        """Raises where ``content`` is not the pinned: OtherDataError where it is whole, and so of another data set,
        else DigestError with what is wrong inside.
        """
        digest = hashlib.sha256(content).hexdigest()
        if digest == self.sha256:
            return
        said = (
            f"not the pinned file: sha256 {digest[:12]}… of {len(content):,} bytes, should be {self.sha256[:12]}… of "
            f"{self.size:,}"
        )
        parse = idx.parse_images if self.holds == "images" else idx.parse_labels
        try:
            count = len(parse(content, self.name))
        except FormatError as error:
            raise DigestError(f"{error}; {said}") from error
        raise OtherDataError(f"{self.name}: whole, but other {self.holds}, {count:,} of them; {said}")


TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = IDX_FILES


def files_of(dataset: DataSet) -> tuple[RawFile, ...]:
    """Lists the files that a data set is fetched as; none where it has a manifest instead."""
    return tuple(
        RawFile(
            name,
            "images" if "images" in name else "labels",
            dataset.images.train if name.startswith("train") else dataset.images.test,
            sha256,
        )
        for name, sha256 in (dataset.files or {}).items()
    )
