"""Measures how fast a training goes."""

import time


class Speed:
    """Measures how fast images are trained on and the time spent elsewhere, from the first report (compilation) on."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._images = 0
        self._seconds = 0.0

    def see(self, images: int, seconds: float) -> None:
        if self._began is None:
            self._began = time.monotonic()
            return
        self._images += images
        self._seconds += seconds

    @property
    def per_second(self) -> float:
        """Images over the seconds that the steps on them took, nothing else counted; 0 before the second report."""
        return self._images / self._seconds if self._seconds else 0.0

    def overhead_share(self) -> float:
        """The share of the time until now that was not spent in steps: on looks, grids, checkpoints and files."""
        passed = time.monotonic() - self._began if self._began is not None else 0.0
        return max(0.0, 1 - self._seconds / passed) if passed else 0.0
