"""Maps values to places in a drawing, on linear and logarithmic axes with round ticks, and to text."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mnistgan.comparison import wording

LARGEST = 1e100  # an axis takes differences of what it shows
_PAD = 0.06  # of the length, left free at both ends
_DISTINCT = 1e-9  # of a value; what is closer to it stands on it
_STEPS = (1, 2, 5)


def can_be_drawn(value: float) -> bool:
    """Whether a value has a place on an axis."""
    return math.isfinite(value) and abs(value) <= LARGEST


def _extent(low: float, high: float) -> float:
    """Ends of an axis from ``low`` to ``high``; where these are equal, the value's own size wide, or 1 for 0."""
    if high - low > _DISTINCT * abs(high) + 1 / LARGEST:
        return high - low
    return abs(high) if abs(high) > 1 / LARGEST else 1.0


@dataclass(frozen=True)
class Tick:
    """A round value, its place, and its text."""

    value: float
    place: float
    text: str


@dataclass(frozen=True)
class Axis:
    """An axis from ``low`` at ``start`` to ``high`` at ``end``; ``start`` may be the larger, as for heights in SVG."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float, log: bool = False) -> "Axis":
        """An axis that shows all ``values`` that can be drawn, with room around; ``log`` only where all are above 0."""
        seen = [value for value in values if can_be_drawn(value)] or [0.0, 1.0]
        log = log and min(seen) > 1 / LARGEST
        low, high = (math.log(seen_end) if log else seen_end for seen_end in (min(seen), max(seen)))
        room = _PAD * _extent(low, high)
        low, high = low - room, high + room
        return cls(math.exp(low) if log else low, math.exp(high) if log else high, start, end, log)

    def place(self, value: float) -> float:
        """Maps a value to its place, to a hundredth."""
        low, high, at = (math.log(each) if self.log else each for each in (self.low, self.high, value))
        return round(self.start + (self.end - self.start) * (at - low) / (high - low), 2)

    def ticks(self, most: int = 5, percent: bool = False) -> tuple[Tick, ...]:
        """Rounds values on the axis, 2 to ``most`` of them where there are so many; shares of 1 in ``percent``."""
        values = (self._log_values(most) if self.log else []) or self._linear_values(most)
        texts = (f"{100 * value:.6g}%" if percent else f"{value:.6g}" for value in values)
        return tuple(Tick(value, self.place(value), text) for value, text in zip(values, texts, strict=True))

    def _linear_values(self, most: int) -> list[float]:
        power = math.floor(math.log10((self.high - self.low) / most))
        for exponent in (power, power + 1):
            for step in _STEPS:
                width = step * 10.0**exponent
                numbers = range(math.ceil(self.low / width), math.floor(self.high / width) + 1)
                found = [float(f"{number * step}e{exponent}") for number in numbers]  # the nearest floats to decimals
                if len(found) <= most:
                    return found
        return []

    def _log_values(self, most: int) -> list[float]:
        """Ones, twos and fives of each power of ten, or fewer of them; none where fewer than two would be left."""
        powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for kept in (_STEPS, (1, 3), (1,)):
            values = (float(f"{step}e{power}") for power in powers for step in kept)
            found = [value for value in values if self.low <= value <= self.high]
            if 2 <= len(found) <= most:
                return found
        return []


@dataclass(frozen=True)
class Number:
    """A value and its text."""

    value: float
    text: str

    @classmethod
    def of(cls, value: float) -> "Number":
        """Rounds to four digits."""
        return cls(value, wording.number(value))

    @classmethod
    def share(cls, value: float) -> "Number":
        """Formats in percent."""
        return cls(value, "NaN" if math.isnan(value) else f"{value:.1%}")
