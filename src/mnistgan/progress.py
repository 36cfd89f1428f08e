"""The interface by which the science reports progress."""

from typing import Protocol


class Progress(Protocol):
    """Called with a task's name, how much of it is done, and how much there is (the same unit)."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None: ...


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Reports progress to nobody."""
