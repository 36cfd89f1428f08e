"""Says by how much two files of the same name differ, in the terms of what they hold."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mnistgan import reading
from mnistgan.errors import FormatError
from mnistgan.files import read_arrays, read_json

SHOWN = 6
"""Lines a file; what is beyond is counted."""
NORMAL_95 = 1.96


def differences(recorded: Path, made: Path) -> list[str]:
    """Lists how a recorded file or folder differs from the one made again; empty where the bytes are the same."""
    if recorded.is_dir() or made.is_dir():
        return _shortened(_of_folders(recorded, made))
    if recorded.read_bytes() == made.read_bytes():
        return []
    compare = {".json": _of_json, ".csv": _of_csv, ".npz": _of_arrays, ".png": _of_pictures}.get(made.suffix)
    try:
        found = list(compare(recorded, made)) if compare else []
    except (ValueError, OSError, FormatError) as error:
        found = [f"can't be read as what its name says: {error}"]
    return _shortened(found) or [f"{recorded.stat().st_size} bytes recorded, {made.stat().st_size} now, not the same"]


def outside_their_intervals(recorded: Any, made: Any) -> list[str] | None:
    """Lists the metrics whose 95% intervals do not overlap; None where none was made with an interval.

    A metric's interval is its ``low`` to ``high``, or ``value`` ± 1.96 ``standard_error``. It covers the drawing of
    samples, not the luck of another training. The recorded value is given the width of the one made now: a record that
    lacks an interval, or has a wide one, is not excused by that.
    """
    now = dict(_intervals(made))
    if not now:
        return None
    apart = []
    for name, (value_now, low_now, high_now) in sorted(now.items()):
        section = recorded.get(name) if isinstance(recorded, Mapping) else None
        value = section.get("value") if isinstance(section, Mapping) else None
        if not isinstance(value, int | float):
            apart.append(f"{name}: {value} recorded, {value_now:.6g} now")
            continue
        low, high = value + low_now - value_now, value + high_now - value_now
        if not (low <= high_now and low_now <= high):  # NaN is apart
            apart.append(f"{name}: {low:.6g} to {high:.6g} recorded, {low_now:.6g} to {high_now:.6g} now")
    return apart


def _intervals(figures: Any) -> Iterator[tuple[str, tuple[float, float, float]]]:
    sections = figures.items() if isinstance(figures, Mapping) else ()
    for name, section in sections:
        if not isinstance(section, Mapping) or "value" not in section:
            continue
        value = section["value"]
        if {"low", "high"} <= section.keys():
            yield name, (value, section["low"], section["high"])
        elif "standard_error" in section:
            margin = NORMAL_95 * section["standard_error"]
            yield name, (value, value - margin, value + margin)


def _of_folders(recorded: Path, made: Path) -> Iterator[str]:
    before, now = _names(recorded), _names(made)
    for name in sorted(before | now):
        if name not in now:
            yield f"{name}: recorded, not made now"
        elif name not in before:
            yield f"{name}: made now, not recorded"
        else:
            yield from (f"{name}: {said}" for said in differences(recorded / name, made / name))


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _of_json(recorded: Path, made: Path) -> Iterator[str]:
    before, now = (dict(reading.flatten(read_json(path), "")) for path in (recorded, made))
    for name in [*before, *(name for name in now if name not in before)]:
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name, 'nothing')} recorded, {now.get(name, 'nothing')} now"


def _of_csv(recorded: Path, made: Path) -> Iterator[str]:
    before, now = (list(csv.reader(path.read_text("utf-8").splitlines())) for path in (recorded, made))
    if len(before) != len(now):
        yield f"{len(before)} lines recorded, {len(now)} now"
    titles = before[0] if before else []
    nothing: list[str] = []
    for number, (row, other) in enumerate(zip_longest(before, now, fillvalue=nothing), start=1):
        for title, value, got in zip_longest(titles, row, other, fillvalue="nothing"):
            if value != got:
                yield f"line {number}, {title}: {value} recorded, {got} now"


def _of_arrays(recorded: Path, made: Path) -> Iterator[str]:
    before, now = read_arrays(recorded), read_arrays(made)
    if before.keys() != now.keys():
        yield f"holds {', '.join(sorted(now))} now, {', '.join(sorted(before))} recorded"
    apart = {name: _apart(before[name], now[name]) for name in before.keys() & now.keys()}
    furthest = {name: by if isinstance(by, float) else float("inf") for name, by in apart.items() if by}
    differing = sorted(furthest, key=lambda name: (-furthest[name], name))
    if differing:
        yield f"{len(differing)} of {len(apart)} arrays differ, furthest first:"
    for name in differing:
        yield f"  {name}: {apart[name]}"


def _apart(before: np.ndarray, now: np.ndarray) -> float | str:
    """Computes the largest absolute difference; words where there is none, 0 where the two are the same."""
    if before.shape != now.shape or before.dtype != now.dtype:
        return f"{now.dtype} {list(now.shape)} now, {before.dtype} {list(before.shape)} recorded"
    if before.dtype.kind not in "fiub":
        return "" if np.array_equal(before, now) else "other text"
    return float(np.abs(before.astype(np.float64) - now.astype(np.float64)).max(initial=0.0))


def _of_pictures(recorded: Path, made: Path) -> Iterator[str]:
    with Image.open(recorded) as one, Image.open(made) as other:
        texts = dict(one.info), dict(other.info)
        before, now = (np.asarray(picture.convert("RGB"), np.int16) for picture in (one, other))
    if before.shape != now.shape:
        yield f"{now.shape[1]} x {now.shape[0]} pixels now, {before.shape[1]} x {before.shape[0]} recorded"
        return
    apart = np.abs(before - now).max(axis=2)
    if apart.any():
        yield f"{np.count_nonzero(apart):,} of {apart.size:,} pixels differ, by up to {apart.max()} of 255"
    for name in sorted(texts[0].keys() | texts[1].keys()):
        if texts[0].get(name) != texts[1].get(name) and name != "transparency":
            yield f"{name}: {texts[0].get(name)} recorded, {texts[1].get(name)} now"


def _shortened(lines: Sequence[str] | Iterator[str]) -> list[str]:
    found = list(lines)
    return found if len(found) <= SHOWN + 1 else [*found[:SHOWN], f"and {len(found) - SHOWN} more differences"]
