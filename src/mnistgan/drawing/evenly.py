"""Thins out long series for drawing."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], most: int) -> list[T]:
    """Picks at most ``most`` (2 or more) of the items, evenly spread, the first and the last always among them."""
    step = max(1.0, (len(items) - 1) / (most - 1))
    return [items[round(place * step)] for place in range(min(most, len(items)))]
