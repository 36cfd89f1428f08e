"""Rounds figures for files."""

import sys
from typing import Any, TypeGuard

import numpy as np

SIGNIFICANT_DIGITS = 6


def rounded(value: Any) -> Any:
    """Rounds nested numbers to six significant digits, so that a last bit of another machine makes no difference."""
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    if isinstance(value, float | np.floating):
        return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
    return int(value) if isinstance(value, np.integer) else value


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a figure that a file holds is a finite number, and one that a float can be."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
